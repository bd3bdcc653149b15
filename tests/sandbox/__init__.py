"""The sandbox by itself: it must be trustworthy before anything is proven against it."""
