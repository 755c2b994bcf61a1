"""The pages: what each shows, as plain values, and the templates that show it."""
