# A module that uses these waits for the policy, so nothing is written before plain HTTP is refused.
output "bucket_name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
  depends_on  = [aws_s3_bucket_policy.this]
}

output "bucket_arn" {
  description = "ARN of the bucket; objects are below it."
  value       = aws_s3_bucket.this.arn
  depends_on  = [aws_s3_bucket_policy.this]
}
