"""The wire: what really went out and came in, packet by packet, with the kernel's time stamps."""
