//! Who a caller is.

use std::fmt;

/// A twelve-digit account number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Box<str>);

impl AccountId {
    /// Reads exactly twelve digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Self(text.into()))
    }

    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The second element of an ARN: `aws`, `aws-cn`, `aws-us-gov` …
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Partition(Box<str>);

impl Partition {
    /// Reads 1 to 32 lower-case letters and hyphens; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        (is_name && (1..=32).contains(&text.len())).then(|| Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Partition {
    /// `aws`.
    fn default() -> Self {
        Self("aws".into())
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who a caller is, in the three values that `GetCallerIdentity` answers with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The account that the caller belongs to.
    pub account: AccountId,
    /// The caller's ARN, as error messages and policies name it.
    pub arn: String,
    /// The caller's unique id.
    pub user_id: String,
}

/// The names that make the principal of an assumed role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleSession<'a> {
    /// The role's unique id, such as `AROA…`.
    pub role_id: &'a str,
    /// The role's name without its path.
    pub role_name: &'a str,
    /// The name that the caller gave the session.
    pub session_name: &'a str,
}

impl Principal {
    /// The account's root: `arn:aws:iam::<account>:root`, whose user id is the account number.
    #[must_use]
    pub fn account_root(partition: &Partition, account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            arn: format!("arn:{partition}:iam::{account}:root"),
            user_id: account.as_str().to_owned(),
        }
    }

    /// A session of a role: `arn:<partition>:sts::<account>:assumed-role/<role>/<session>`, whose user id is `<role id>:<session>`.
    #[must_use]
    pub fn assumed_role(partition: &Partition, account: &AccountId, session: RoleSession<'_>) -> Self {
        let RoleSession {
            role_id,
            role_name,
            session_name,
        } = session;
        Self {
            account: account.clone(),
            arn: format!("arn:{partition}:sts::{account}:assumed-role/{role_name}/{session_name}"),
            user_id: format!("{role_id}:{session_name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn principals_are_written_as_aws_writes_them() {
        let account = AccountId::parse("111122223333").unwrap();
        let root = Principal::account_root(&Partition::default(), &account);
        let session = RoleSession {
            role_id: "AROAEXAMPLE",
            role_name: "job",
            session_name: "batch-7",
        };
        let role = Principal::assumed_role(&Partition::parse("aws-cn").unwrap(), &account, session);
        expect![[r#"
            arn:aws:iam::111122223333:root 111122223333
            arn:aws-cn:sts::111122223333:assumed-role/job/batch-7 AROAEXAMPLE:batch-7"#]]
        .assert_eq(&format!(
            "{} {}\n{} {}",
            root.arn, root.user_id, role.arn, role.user_id
        ));
    }

    #[test]
    fn account_numbers_have_twelve_digits() {
        for text in [
            "",
            "11112222333",
            "1111222233334",
            "11112222333x",
            "１１１１２２２２３３３３",
        ] {
            assert_eq!(AccountId::parse(text), None, "{text}");
        }
    }
}
