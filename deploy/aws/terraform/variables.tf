variable "aws_region" {
  description = "Where the bus, the queue and the bridge are."
  type        = string
}

variable "name" {
  description = "Names all that is made, and is the suffix of the event source in Genesys Cloud."
  type        = string
  default     = "genesys-streams"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,48}$", var.name))
    error_message = "At most 48 letters, digits, dots, underscores or hyphens."
  }
}

variable "dialect" {
  description = "GENESYS_API, as the bridge and the workers have it."
  type        = string
  default     = "interactions"

  validation {
    condition     = contains(["interactions", "conversations"], var.dialect)
    error_message = "interactions or conversations."
  }
}

variable "reader_service" {
  description = "The service of AWS that the bridge runs on and that gives it the role."
  type        = string
  default     = "ecs-tasks.amazonaws.com"
}

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms go to; null for alarms that are only shown."
  type        = string
  default     = null
}

variable "visibility_seconds" {
  description = "For how long a message is hidden from other bridges; renewed at half its time."
  type        = number
  default     = 60
}

variable "oldest_message_seconds" {
  description = "The age of the oldest message that is alarmed about."
  type        = number
  default     = 300
}

variable "business_hours" {
  description = "Hours of UTC, Monday to Friday, in which an hour without an event is alarmed about."
  type        = object({ from = number, to = number })
  default     = { from = 8, to = 16 }
}
