"""What a deploy is made of: compose file, image, scripts."""
