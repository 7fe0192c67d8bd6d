//! Serves the static files: compressed once, kept by browsers for good, for an address never changes its content.

use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::errors::{Answer, Refusal, unknown_route};
use crate::look::assets::{Asset, all, find};
use crate::press::reads_gzip;

/// How long a browser may keep a file whose address holds its hash.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// How long a browser may keep the small icon, whose address holds none.
const ICON_CACHE: &str = "public, max-age=86400";
/// The icon that is served where browsers look for one by themselves.
const ICON: &str = "state-idle.svg";

static COMPRESSED: LazyLock<HashMap<&'static str, Bytes>> = LazyLock::new(|| {
    all().iter().filter_map(|asset| Some((asset.name, Bytes::from(compressed(&asset.bytes)?)))).collect()
});

/// The bytes compressed, unless that does not make them smaller.
fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().filter(|small| small.len() < bytes.len())
}

fn answer(asset: &'static Asset, headers: &HeaderMap, cache: &'static str) -> Response {
    let plain =
        [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, cache), (header::VARY, "accept-encoding")];
    match COMPRESSED.get(asset.name).filter(|_| reads_gzip(headers)) {
        Some(small) => (plain, [(header::CONTENT_ENCODING, "gzip")], small.clone()).into_response(),
        None => (plain, Bytes::from_static(&asset.bytes)).into_response(),
    }
}

/// `GET /static/{hash}/{name}`.
pub async fn file(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Answer {
    let asset = find(&hash, &name).ok_or_else(|| Refusal(unknown_route()))?;
    Ok(answer(asset, &headers, IMMUTABLE))
}

/// `GET /favicon.ico` and `GET /favicon.svg`.
pub async fn icon(headers: HeaderMap) -> Answer {
    let asset = all().iter().find(|a| a.name == ICON).ok_or_else(|| Refusal(unknown_route()))?;
    Ok(answer(asset, &headers, ICON_CACHE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[tokio::test]
    async fn a_file_is_served_by_its_hash_and_kept_for_good() {
        let css = all().iter().find(|a| a.name == "app.css").expect("app.css");
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("br, gzip;q=0.8"))]);
        let small = file(Path((css.hash.clone(), "app.css".into())), headers).await.expect("served");
        assert_eq!(small.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(small.headers()[header::CACHE_CONTROL], IMMUTABLE);
        let plain = file(Path((css.hash.clone(), "app.css".into())), HeaderMap::new()).await.expect("served");
        assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
        assert!(file(Path(("0".into(), "app.css".into())), HeaderMap::new()).await.is_err());
        assert!(file(Path((css.hash.clone(), "../lib.rs".into())), HeaderMap::new()).await.is_err());
    }
}
