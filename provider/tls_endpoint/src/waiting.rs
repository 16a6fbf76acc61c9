//! Until the session hands out Cloudflare.
use std::sync::Arc;

use ffe_cloudflare::Cloudflare;
use ffe_session::{Session, Unavailable};

pub(crate) trait CloudflareOf {
    fn cloudflare(&self) -> Result<Arc<Cloudflare>, Unavailable>;
}

impl CloudflareOf for Session {
    fn cloudflare(&self) -> Result<Arc<Cloudflare>, Unavailable> {
        Err(Unavailable::Unknown)
    }
}
