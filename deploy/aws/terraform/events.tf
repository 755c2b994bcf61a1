data "aws_caller_identity" "this" {}

locals {
  # The characters {id} are part of the names.
  detail_types = {
    interactions = ["purecloud:v2:interaction:update"]
    conversations = [
      "v2.detail.events.conversation.{id}.user.end",
      "v2.detail.events.conversation.{id}.customer.end",
      "v2.detail.events.conversation.{id}.acw",
      "v2.detail.events.conversation.{id}.wrapup",
      "v2.detail.events.conversation.{id}.outbound",
    ]
  }
}

# A bus with the source's own name makes the source ACTIVE. Without a bus, or once it is deleted, the
# source is PENDING again, and events are lost.
resource "aws_cloudwatch_event_bus" "genesys" {
  name              = data.aws_cloudwatch_event_source.genesys.name
  event_source_name = data.aws_cloudwatch_event_source.genesys.name
}

resource "aws_cloudwatch_event_rule" "events" {
  name           = "${var.name}-events"
  description    = "The events that genesys-streams handles. Any other would be skipped by the bridge."
  event_bus_name = aws_cloudwatch_event_bus.genesys.name
  event_pattern = jsonencode({
    source        = [{ prefix = "aws.partner/genesys.com" }]
    "detail-type" = local.detail_types[var.dialect]
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule           = aws_cloudwatch_event_rule.events.name
  event_bus_name = aws_cloudwatch_event_bus.genesys.name
  target_id      = "queue"
  arn            = aws_sqs_queue.events.arn

  # The longest that EventBridge has.
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.rule_dead_letters.arn
  }

  # Without the right to send, EventBridge gives an event up at once.
  depends_on = [aws_sqs_queue_policy.from_the_rule]
}
