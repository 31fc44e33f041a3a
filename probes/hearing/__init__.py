"""What a caller hears: tones, known recordings, music and live speech on 8 kHz telephone audio."""
