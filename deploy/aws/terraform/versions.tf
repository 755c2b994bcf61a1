terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    genesyscloud = {
      source  = "mypurecloud/genesyscloud"
      version = ">= 1.30"
    }
  }
}

# Credentials of both are their providers' own: AWS_* and GENESYSCLOUD_* in the environment.
provider "aws" {
  region = var.aws_region
}

provider "genesyscloud" {}
