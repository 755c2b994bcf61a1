# moto's server: EventBridge, SQS and CloudFormation, as far as deploy/aws needs them.
FROM python:3.11-slim
WORKDIR /moto
COPY constraints.txt ./
RUN pip install --no-cache-dir -c constraints.txt "moto[server]" \
    && useradd --uid 10001 --no-create-home moto
USER 10001:10001
EXPOSE 5000
CMD ["moto_server", "--host", "0.0.0.0", "--port", "5000"]
