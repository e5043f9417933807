# Rules of Terraform itself; those of AWS are a plugin that is downloaded, and `terraform test` holds ours.
plugin "terraform" {
  enabled = true
  preset  = "all"
}
