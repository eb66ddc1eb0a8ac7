//! Programs that show how to embed Portcullis.
