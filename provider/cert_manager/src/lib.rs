//! Issuers and certificates of cert-manager: objects, waiting, and why an issuance does not get on.
