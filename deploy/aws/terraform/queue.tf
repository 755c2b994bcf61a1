resource "aws_kms_key" "events" {
  description         = "Events of Genesys Cloud while they are in the queues of ${var.name}."
  enable_key_rotation = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.this.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "RulesOfThisAccountSend"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
      },
    ]
  })
}

# What EventBridge could not put into the queue.
resource "aws_sqs_queue" "rule_dead_letters" {
  name                              = "${var.name}-rule-dead-letters"
  message_retention_seconds         = 1209600
  kms_master_key_id                 = aws_kms_key.events.arn
  kms_data_key_reuse_period_seconds = 3600
}

# What the bridge has taken up again and again and could not handle.
resource "aws_sqs_queue" "queue_dead_letters" {
  name                              = "${var.name}-queue-dead-letters"
  message_retention_seconds         = 1209600
  kms_master_key_id                 = aws_kms_key.events.arn
  kms_data_key_reuse_period_seconds = 3600
}

resource "aws_sqs_queue" "events" {
  name = "${var.name}-events"
  # A message's age goes on counting in the dead-letter queue, so it has four days left there.
  message_retention_seconds         = 864000
  receive_wait_time_seconds         = 20
  visibility_timeout_seconds        = var.visibility_seconds
  kms_master_key_id                 = aws_kms_key.events.arn
  kms_data_key_reuse_period_seconds = 3600
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.queue_dead_letters.arn
    # Each crash of the bridge costs what it holds one receive. Only what fails by itself comes here.
    maxReceiveCount = 20
  })
}

resource "aws_sqs_queue_policy" "from_the_rule" {
  for_each = {
    events            = aws_sqs_queue.events
    rule_dead_letters = aws_sqs_queue.rule_dead_letters
  }

  queue_url = each.value.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheRuleSends"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = each.value.arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.events.arn } }
      },
      {
        Sid       = "NobodyInClear"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = each.value.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_iam_policy" "reader" {
  name        = "${var.name}-reader"
  description = "What genesys-streams bridge sqs needs, and nothing else."
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "sqs:ReceiveMessage",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
          "sqs:GetQueueAttributes",
        ]
        Resource = aws_sqs_queue.events.arn
      },
      {
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = aws_kms_key.events.arn
      },
    ]
  })
}

resource "aws_iam_role" "reader" {
  name = "${var.name}-reader"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = var.reader_service }
        Action    = ["sts:AssumeRole", "sts:TagSession"]
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "reader" {
  role       = aws_iam_role.reader.name
  policy_arn = aws_iam_policy.reader.arn
}

output "queue_url" {
  description = "BRIDGE_QUEUE_URL"
  value       = aws_sqs_queue.events.url
}

output "reader_role_arn" {
  description = "The role for the bridge's task or pod."
  value       = aws_iam_role.reader.arn
}
