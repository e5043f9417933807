"""The chart on a real cluster: installed, asked through the gateway, broken and upgraded under load."""
