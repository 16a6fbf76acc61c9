//! The resource ffe_tls_endpoint: how the world reaches it.
