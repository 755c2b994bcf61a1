import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The worker's calls on Confluent's parallel-consumer, ordered by key: a GET, a PATCH where the rules
 * want one, an outcome. Settings as the worker's. It keeps no state and writes no changelog.
 */
public final class CallEachInteraction {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String api = setting("GENESYS_CLOUD_BASE_URL");
  private final String code = setting("DISPOSITION_CODE_ID");
  private final String outcomes = setting("TOPIC_PREFIX") + "outcomes";
  private final String token;

  private CallEachInteraction() throws Exception {
    token = fetchToken();
  }

  public static void main(String[] arguments) throws Exception {
    CallEachInteraction calls = new CallEachInteraction();
    String servers = setting("KAFKA_BOOTSTRAP_SERVERS");
    Map<String, Object> reading =
        Map.of(
            "bootstrap.servers", servers,
            "group.id", setting("APP_ID"),
            "auto.offset.reset", "earliest",
            "enable.auto.commit", false);
    Map<String, Object> writing = Map.of("bootstrap.servers", servers, "acks", "all");
    ParallelStreamProcessor<String, String> processor =
        ParallelStreamProcessor.createEosStreamProcessor(
            ParallelConsumerOptions.<String, String>builder()
                .ordering(ProcessingOrder.KEY)
                .maxConcurrency(Integer.parseInt(setting("MAX_IN_FLIGHT")))
                .consumer(
                    new KafkaConsumer<>(
                        reading, new StringDeserializer(), new StringDeserializer()))
                .producer(
                    new KafkaProducer<>(writing, new StringSerializer(), new StringSerializer()))
                .build());
    Runtime.getRuntime().addShutdownHook(new Thread(processor::closeDontDrainFirst));
    processor.subscribe(List.of(setting("TOPIC_PREFIX") + "events"));
    processor.pollAndProduce(context -> calls.decide(context.getSingleConsumerRecord()));
  }

  private ProducerRecord<String, String> decide(ConsumerRecord<String, String> record) {
    try {
      JsonNode detail = JSON.readTree(record.value()).get("detail");
      String id = detail.get("interactionId").asText();
      URI uri = URI.create(api + "/api/v2/interactions/" + URLEncoder.encode(id, StandardCharsets.UTF_8));
      HttpResponse<String> found = send(HttpRequest.newBuilder(uri).GET());
      JsonNode interaction = JSON.readTree(found.body());
      ObjectNode outcome = JSON.createObjectNode();
      if (eligible(interaction)) {
        String body =
            JSON.writeValueAsString(Map.of("dispositionCode", Map.of("id", code)));
        HttpRequest.Builder patch =
            HttpRequest.newBuilder(uri)
                .method("PATCH", BodyPublishers.ofString(body))
                .header("Content-Type", "application/json");
        found.headers().firstValue("ETag").ifPresent(tag -> patch.header("If-Match", tag));
        outcome.put("decision", "patched").put("reason", "eligible");
        outcome.put("patchStatus", send(patch).statusCode());
      } else {
        outcome.put("decision", "ineligible");
      }
      outcome.put("outcomeId", record.topic() + "/" + record.partition() + "/" + record.offset());
      outcome.put("interactionId", id);
      outcome.set("sequenceId", detail.get("sequenceId"));
      outcome.put("decidedAt", Instant.now().toString());
      outcome
          .putObject("source")
          .put("topic", record.topic())
          .put("partition", record.partition())
          .put("offset", record.offset());
      return new ProducerRecord<>(outcomes, record.key(), JSON.writeValueAsString(outcome));
    } catch (Exception error) {
      throw new IllegalStateException(error); // parallel-consumer takes the record up again
    }
  }

  private static boolean eligible(JsonNode interaction) {
    JsonNode times = interaction.path("metadata");
    return interaction.path("type").asText().equals("voice")
        && interaction.path("state").asText().equals("completed")
        && interaction.path("dispositionCode").isNull()
        && interaction.path("wrapUpCode").isNull()
        && Instant.parse(times.path("startTime").asText())
            .plusMillis(30_000)
            .isBefore(Instant.parse(times.path("endTime").asText()));
  }

  private HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
    request.header("Authorization", "Bearer " + token);
    HttpResponse<String> answer = http.send(request.build(), BodyHandlers.ofString());
    if (answer.statusCode() >= 300) {
      throw new IllegalStateException(answer.statusCode() + " " + answer.body());
    }
    return answer;
  }

  private String fetchToken() throws Exception {
    String client =
        setting("GENESYS_CLOUD_CLIENT_ID") + ":" + setting("GENESYS_CLOUD_CLIENT_SECRET");
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(api + "/oauth/token"))
            .POST(BodyPublishers.ofString("grant_type=client_credentials"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header(
                "Authorization",
                "Basic "
                    + Base64.getEncoder()
                        .encodeToString(client.getBytes(StandardCharsets.UTF_8)))
            .build();
    return JSON.readTree(http.send(request, BodyHandlers.ofString()).body())
        .get("access_token")
        .asText();
  }

  private static String setting(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalArgumentException(name + " is not set");
    }
    return value;
  }
}
