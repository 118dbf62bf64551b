"""GB/T 28181 as the upper platform: devices and lower platforms register here, and their cameras become Sources."""
