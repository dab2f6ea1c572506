"""The page to step through: pictures, words and training histories in one HTML file."""
