//! How a caller shows that it knows the app's secret.

use md5::{Digest, Md5};

use crate::secret::{Secret, is_same};

/// `md5(AppId + SignatureNonce + ServerSecret + Timestamp)` in lower-case hex, all parts in the text that was sent.
pub fn sign(app_id: u32, nonce: &str, secret: &Secret, timestamp: &str) -> String {
    let mut digest = Md5::new();
    digest.update(app_id.to_string());
    digest.update(nonce);
    digest.update(secret.expose());
    digest.update(timestamp);
    hex::encode(digest.finalize())
}

/// Upper-case hex is another text.
pub(super) fn is_signed(
    app_id: u32,
    nonce: &str,
    secret: &Secret,
    timestamp: &str,
    signature: &str,
) -> bool {
    let expected = sign(app_id, nonce, secret, timestamp);
    is_same(&expected, signature)
}
