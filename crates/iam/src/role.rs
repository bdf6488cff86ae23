//! References to roles. There is no list of roles: any that IAM could have can be assumed.

use sha2::{Digest as _, Sha256};

use crate::{AccessKeyId, AccountId};

/// A role as it is referred to: by its name, or by its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role<'a> {
    /// The name without its path, such as `job`.
    pub name: &'a str,
}

impl<'a> Role<'a> {
    /// Reads a name or an ARN, in whatever partition and account; `None` for what no role could have.
    #[must_use]
    pub fn parse(reference: &'a str) -> Option<Self> {
        could_be("role", reference).then(|| Self {
            name: reference.rsplit('/').next().unwrap_or(reference),
        })
    }

    /// What identifies the role in an account: `AROA` and 16 characters that follow from account and name.
    #[must_use]
    pub fn id(self, account: &AccountId) -> String {
        let hash = Sha256::digest(format!("{account}/{}", self.name));
        let beginning = hash.first_chunk().expect("ten bytes are within thirty-two");
        AccessKeyId::prefixed("AROA", *beginning).as_str().to_owned()
    }
}

/// Whether IAM could have something of this kind (`role`, `instance-profile`) with this name or ARN, in whatever partition and account.
#[must_use]
pub fn could_be(kind: &str, reference: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte);
    let is_name = |name: &str| (1..=128).contains(&name.len()) && name.bytes().all(allowed);
    let Some(arn) = reference.strip_prefix("arn:") else {
        return is_name(reference);
    };
    let [_, service, region, account, resource] = *arn.splitn(5, ':').collect::<Vec<_>>() else {
        return false;
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let name = resource
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix('/'));
    service == "iam"
        && region.is_empty()
        && is_account
        && name.is_some_and(|path| path.split('/').all(is_name))
}

#[cfg(test)]
mod tests {
    use super::{Role, could_be};
    use crate::AccountId;

    #[test]
    fn a_role_has_an_id_that_looks_like_those_of_aws() {
        let account = AccountId::parse("111122223333").unwrap();
        let id = |reference| Role::parse(reference).unwrap().id(&account);
        expect_test::expect!["AROALXXOYTBK7Y6YIOPU"].assert_eq(&id("job"));
        assert_eq!(id("job"), id("arn:aws:iam::123456789012:role/path/job"));
        assert_ne!(id("job"), id("other"));
    }

    #[test]
    fn what_iam_could_have_is_not_doubted() {
        for (reference, name) in [
            ("ecsInstanceRole", "ecsInstanceRole"),
            ("a+b=c,d.e@f-g_h", "a+b=c,d.e@f-g_h"),
            ("arn:aws:iam::123456789012:role/x", "x"),
            (
                "arn:aws-cn:iam::000000000000:role/service-role/AWSBatchServiceRole",
                "AWSBatchServiceRole",
            ),
        ] {
            assert_eq!(Role::parse(reference), Some(Role { name }), "{reference}");
        }
        for reference in [
            "",
            "no role",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role",
            "arn:aws:iam::12:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:instance-profile/x",
            "arn:aws:s3:::bucket",
            "arn:",
        ] {
            assert!(!could_be("role", reference), "{reference}");
            assert_eq!(Role::parse(reference), None, "{reference}");
        }
    }
}
