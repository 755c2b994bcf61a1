# The integration in Genesys Cloud. Once it is enabled, its event source appears in AWS as PENDING.
resource "genesyscloud_integration" "eventbridge" {
  integration_type = "amazon-eventbridge-source"
  intended_state   = "ENABLED"

  config {
    name = var.name
    properties = jsonencode({
      eventSourceSuffix = var.name
      awsAccountId      = data.aws_caller_identity.this.account_id
      awsAccountRegion  = var.aws_region
      eventFilter       = local.detail_types[var.dialect]
    })
    advanced    = jsonencode({})
    credentials = {}
  }
}

data "aws_cloudwatch_event_source" "genesys" {
  name_prefix = "aws.partner/genesys.com"

  depends_on = [genesyscloud_integration.eventbridge]
}
