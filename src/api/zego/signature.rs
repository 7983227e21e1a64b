//! How a caller shows that it knows the app's secret.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// `md5(AppId + SignatureNonce + ServerSecret + Timestamp)` in lower-case hex, all parts in the text that was sent.
pub fn sign(app_id: u32, nonce: &str, secret: &Secret, timestamp: &str) -> String {
    let mut digest = Md5::new();
    digest.update(app_id.to_string());
    digest.update(nonce);
    digest.update(secret.expose());
    digest.update(timestamp);
    hex::encode(digest.finalize())
}

/// Compares in constant time; upper-case hex is another text.
pub(super) fn is_signed(
    app_id: u32,
    nonce: &str,
    secret: &Secret,
    timestamp: &str,
    signature: &str,
) -> bool {
    let expected = sign(app_id, nonce, secret, timestamp);
    expected.as_bytes().ct_eq(signature.as_bytes()).into()
}
