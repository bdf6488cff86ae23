//! Every bound of the crate, with its source.

/// How far a request's date may be from now, either way, in seconds (AWS's documented rule for services other than S3).
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 5 * 60;

/// The longest life of a presigned request in seconds: seven days (AWS's documented rule).
pub const PRESIGN_SECONDS_MAX: u32 = 604_800;

/// Bytes of an `Authorization` header that are looked at (own choice; SDKs send about 300).
pub const AUTHORIZATION_BYTES_MAX: usize = 8 * 1024;

/// Headers that a request may sign (own choice; SDKs sign about ten). With the server's bound on headers it bounds the work of one
/// canonical request.
pub const SIGNED_HEADERS_MAX: usize = 100;

/// Query parameters that are sorted for one canonical request (own choice; `UntagResource` needs 50).
pub const QUERY_PARAMETERS_MAX: usize = 1_000;

/// Characters of an access key id (the IAM API's own bound).
pub const ACCESS_KEY_ID_CHARS_MAX: usize = 128;

/// Characters of a region or service name in a credential scope (own choice; AWS's longest is below 40).
pub const SCOPE_NAME_CHARS_MAX: usize = 64;

/// Bytes of a session token in its text form (own choice; the longest that is issued is below half of it).
pub const SESSION_TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one name inside a session token (an ARN's documented maximum).
pub const SESSION_FIELD_BYTES_MAX: usize = 2_048;

/// Characters of a task's token (own choice; those of attempts have about 100).
pub const TASK_TOKEN_CHARS_MAX: usize = 512;

/// Derived signing keys that are kept (own choice: about 500 bytes each; one per caller, day, region and service).
pub const SIGNING_KEYS_MAX: usize = 4_096;

/// Characters of a caller's own text that an error message repeats (own choice).
pub const ECHO_CHARS_MAX: usize = 1_024;
