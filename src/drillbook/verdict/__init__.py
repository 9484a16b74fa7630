"""What a drill proved. Pure: a timeline goes in (`judge`), a verdict comes out (`model`), and nothing is asked again."""
