locals {
  alarm_actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]

  rule_alarms = {
    FailedInvocations              = "EventBridge fails to put events into the queue, for good. Look at both policies."
    InvocationsSentToDlq           = "EventBridge has given events up; they are in the rule's dead-letter queue."
    InvocationsFailedToBeSentToDlq = "EventBridge could not even put events into the dead-letter queue: they are lost."
  }

  dead_letter_alarms = {
    rule_dead_letters = {
      queue = aws_sqs_queue.rule_dead_letters.name
      says  = "EventBridge could not put events into the queue. The message attributes say why."
    }
    queue_dead_letters = {
      queue = aws_sqs_queue.queue_dead_letters.name
      says  = "The bridge could not handle a message in 20 tries. Its log says why."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "rule" {
  for_each = local.rule_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value
  namespace           = "AWS/Events"
  metric_name         = each.key
  dimensions          = { EventBusName = aws_cloudwatch_event_bus.genesys.name, RuleName = aws_cloudwatch_event_rule.events.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.dead_letter_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  alarm_name          = "${var.name}-oldest-message"
  alarm_description   = "Events wait in the queue: the bridge is not running, not ready, or too slow. Look at its /readyz."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.events.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = var.oldest_message_seconds
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# The bridge's polls keep the queue's metrics coming, so silence is a 0 and no gap.
resource "aws_cloudwatch_metric_alarm" "silence" {
  alarm_name          = "${var.name}-silence"
  alarm_description   = "An hour of business without an event. Is the integration active, and the event source ACTIVE?"
  evaluation_periods  = 4
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "missing"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions

  metric_query {
    id          = "watched"
    label       = "events, 1 outside business hours"
    expression  = "IF(DAY(sent) <= 5 AND HOUR(sent) >= ${var.business_hours.from} AND HOUR(sent) < ${var.business_hours.to}, sent, 1)"
    return_data = true
  }

  metric_query {
    id          = "sent"
    return_data = false

    metric {
      namespace   = "AWS/SQS"
      metric_name = "NumberOfMessagesSent"
      dimensions  = { QueueName = aws_sqs_queue.events.name }
      period      = 900
      stat        = "Sum"
    }
  }
}
