//! Prints how long one verification of a typical SubmitJob takes: `cargo run --release -p batchyard-iam --example verify_speed`.

use std::time::Instant;

use batchyard_iam::{
    AccessKey, AccessKeyId, AccountId, Credentials, KeyLookup, Partition, Principal, Region, Rules,
    ServiceName, SessionIssuer, SigningInput, Target, UnixSeconds, Verifier, sign,
};

const ROUNDS: u32 = 200_000;

struct OneKey(AccessKeyId, AccessKey);

impl KeyLookup for OneKey {
    fn find(&self, id: &AccessKeyId) -> Option<AccessKey> {
        (*id == self.0).then(|| self.1.clone())
    }
}

fn main() {
    let now = UnixSeconds::new(1_440_938_160);
    let long_term = Credentials::long_term([7; 40]);
    let account = AccountId::parse("111122223333").expect("twelve digits");
    let principal = Principal::account_root(&Partition::default(), &account);
    let issuer = SessionIssuer::new(&[7; 32]);
    let session = issuer.issue(&principal, now.plus_seconds(3_600), [3; 16]);
    let key = AccessKey {
        secret: long_term.secret_access_key.clone(),
        principal,
    };
    let keys = OneKey(long_term.access_key_id.clone(), key);
    let verifier = Verifier::new(Rules::default(), issuer);
    for (name, credentials) in [("long-term key", long_term), ("session", session)] {
        let nanoseconds = measure(&verifier, &keys, &credentials, now);
        println!("{name}: {nanoseconds} ns per verification");
    }
}

fn measure(verifier: &Verifier, keys: &OneKey, credentials: &Credentials, now: UnixSeconds) -> u128 {
    let body = [b'x'; 500];
    let plain: [(&str, &[u8]); 5] = [
        ("host", b"127.0.0.1:4590"),
        ("user-agent", b"Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux"),
        ("content-type", b"application/json"),
        ("content-length", b"500"),
        ("accept-encoding", b"identity"),
    ];
    let request = SigningInput {
        method: "POST",
        path: "/v1/submitjob",
        query: "",
        headers: &plain,
        body: &body,
    };
    let region = Region::parse("us-east-1").expect("a region");
    let service = ServiceName::parse("batch").expect("a service");
    let added =
        sign(&request, credentials, &Target { region, service }, now).expect("the request can be signed");
    let headers: Vec<(&str, &[u8])> = plain
        .into_iter()
        .chain(added.iter().map(|(name, value)| (*name, value.as_bytes())))
        .collect();
    let request = SigningInput {
        headers: &headers,
        ..request
    };

    let start = Instant::now();
    for _ in 0..ROUNDS {
        verifier
            .verify(&request, keys, now)
            .expect("the signature is right");
    }
    start.elapsed().as_nanos() / u128::from(ROUNDS)
}
