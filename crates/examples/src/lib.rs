//! Programs that show how to embed Portcullis, and how to protect an API with it.
