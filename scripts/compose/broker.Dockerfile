# Stands in for apache/kafka where no registry is in reach: the same release, from Maven Central, on
# any image with Java 17 and bash. Takes its settings from KAFKA_* as the real one does.
ARG JRE_IMAGE
FROM ${JRE_IMAGE}
RUN groupadd --gid 1000 kafka && useradd --uid 1000 --gid kafka --no-create-home kafka \
    && install --directory --owner kafka --group kafka /var/lib/kafka/data
COPY jars /opt/kafka/libs
COPY kafka-from-environment /usr/local/bin/
USER 1000:1000
VOLUME /var/lib/kafka/data
CMD ["kafka-from-environment"]
