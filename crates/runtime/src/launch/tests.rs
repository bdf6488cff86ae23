//! What attempts find in their environment.

use batchyard_core::id::{EnvironmentId, JobId};
use batchyard_core::launch::{NodeLaunch, ProcessSpec, RoleReference};
use batchyard_core::name::QueueName;
use batchyard_core::resources::GpuSet;
use batchyard_core::time::{Millis, Timestamp};

use super::*;

fn check(child: Option<u32>, user: &[(&str, &str)], expected: expect_test::Expect) {
    check_of(child, None, user, expected);
}

/// `main`: the main one of three nodes.
fn check_of(child: Option<u32>, main: Option<u32>, user: &[(&str, &str)], expected: expect_test::Expect) {
    expected.assert_eq(&composed(
        child,
        main,
        user,
        Runner::Process(ProcessSpec::default()),
        None,
    ));
}

/// What a job is told, a line for each variable, and its stream. With `platform` it has a role, and the server gives credentials.
fn composed(
    child: Option<u32>,
    main: Option<u32>,
    user: &[(&str, &str)],
    runner: Runner,
    platform: Option<Platform>,
) -> String {
    let id = JobId::new(Timestamp::from_millis(1_700_000_000_000), 7);
    let user = user.iter().map(|(name, value)| variable(name, value));
    let spec = LaunchSpec {
        runner,
        command: vec!["true".to_owned()],
        environment: user.collect(),
        resources: batchyard_core::resources::Resources::default(),
        log: Some(LogTarget {
            group: "/aws/batch/job".to_owned(),
            stream_prefix: "sleep/default/".to_owned(),
        }),
        stop_timeout: Millis::from_seconds(30),
        role: platform.map(|_| RoleReference("job".into())),
        training: None,
    };
    let queue = QueueName::parse("fast").unwrap();
    let spec = Arc::new(spec);
    let nodes = main.map(|main| NodeLaunches {
        count: 3,
        main,
        groups: vec![NodeLaunch {
            first: 0,
            last: 2,
            launch: Arc::clone(&spec),
        }],
    });
    let row = LaunchRow {
        launch: spec,
        queue,
        array_size: child.filter(|_| main.is_none()).map(|_| 10),
        nodes: nodes.map(Arc::new),
    };
    let placement = Placement {
        environment: EnvironmentId(1),
        instance: None,
        gpus: GpuSet::default(),
    };
    let settings = LaunchSettings {
        variables: vec![variable("AWS_REGION", "eu-west-1")],
        host: TaskEndpoints {
            metadata: Some("http://127.0.0.1:4590".to_owned()),
            credentials: Some(CredentialsEndpoint::At("http://127.0.0.1:4590".to_owned())),
        },
        private: TaskEndpoints {
            metadata: Some("http://169.254.170.2".to_owned()),
            credentials: Some(CredentialsEndpoint::Known),
        },
        is_network_the_hosts: true,
        tokens: Some(AttemptTokens(Arc::new(|attempt| {
            format!("TOKEN-OF-{}", attempt.attempt)
        }))),
    };
    let attempt = AttemptKey {
        job: JobKey { id, child },
        attempt: 2,
    };
    let environment = EnvironmentName::parse("host").unwrap();
    let platform = platform.unwrap_or(Platform::Ec2);
    let launch = compose(attempt, placement, (&environment, platform), &row, &settings);
    let lines = launch
        .environment
        .iter()
        .map(|variable| format!("{}={}\n", variable.name, variable.value));
    let stream = launch
        .stream
        .map(|name| format!("{} {}\n", name.group, name.stream));
    lines.chain(stream).collect()
}

#[test]
fn a_role_is_told_where_clients_look() {
    let container = || Runner::Container(Box::default());
    let of = |main, runner, platform| {
        let all = composed(main, main, &[("X", "1")], runner, Some(platform));
        let told = |line: &&str| {
            !["AWS_BATCH", "AWS_REGION", "/aws"]
                .iter()
                .any(|no| line.starts_with(no))
        };
        all.lines()
            .filter(told)
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    expect_test::expect![[r#"
        X=1
        AWS_EXECUTION_ENV=AWS_ECS_EC2
        ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/030ae0aebdba261a175835de1c9756c9
        ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/030ae0aebdba261a175835de1c9756c9
        AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:4590/v2/credentials
        AWS_CONTAINER_AUTHORIZATION_TOKEN=TOKEN-OF-2
        AWS_SHARED_CREDENTIALS_FILE=/dev/null
        AWS_CONFIG_FILE=/dev/null
    "#]]
    .assert_eq(&of(None, Runner::Process(ProcessSpec::default()), Platform::Ec2));
    expect_test::expect![[r#"
        X=1
        AWS_EXECUTION_ENV=AWS_ECS_FARGATE
        ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/030ae0aebdba261a175835de1c9756c9
        ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/030ae0aebdba261a175835de1c9756c9
        AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:4590/v2/credentials
        AWS_CONTAINER_AUTHORIZATION_TOKEN=TOKEN-OF-2
    "#]]
    .assert_eq(&of(None, container(), Platform::Fargate));
    // A node is never on the host's network.
    expect_test::expect![[r#"
        X=1
        AWS_EXECUTION_ENV=AWS_ECS_EC2
        ECS_CONTAINER_METADATA_URI=http://169.254.170.2/v3/177069ce51c49d631a9f5e0655f6a5b4
        ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/177069ce51c49d631a9f5e0655f6a5b4
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/TOKEN-OF-2
    "#]]
    .assert_eq(&of(Some(0), container(), Platform::Ec2));
    expect_test::expect![[r#"
        X=1
        AWS_EXECUTION_ENV=AWS_ECS_MANAGED_INSTANCES
        ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/030ae0aebdba261a175835de1c9756c9
        ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/030ae0aebdba261a175835de1c9756c9
        AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:4590/v2/credentials
        AWS_CONTAINER_AUTHORIZATION_TOKEN=TOKEN-OF-2
    "#]]
    .assert_eq(&of(None, container(), Platform::ManagedInstances));
    expect_test::expect![[r#"
        X=1
        AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:4590/v2/credentials
        AWS_CONTAINER_AUTHORIZATION_TOKEN=TOKEN-OF-2
    "#]]
    .assert_eq(&of(None, container(), Platform::Eks));
}

#[test]
fn a_single_job_gets_no_array_variables() {
    check(
        None,
        &[
            ("AWS_REGION", "us-west-2"),
            ("AWS_BATCH_JOB_ID", "forged"),
            ("X", "1"),
        ],
        expect_test::expect![[r#"
            AWS_BATCH_JOB_ID=018bcfe5-6800-4000-8000-000000000007
            AWS_BATCH_JOB_ATTEMPT=2
            AWS_BATCH_JQ_NAME=fast
            AWS_BATCH_CE_NAME=host
            AWS_REGION=us-west-2
            X=1
            AWS_EXECUTION_ENV=AWS_ECS_EC2
            ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/030ae0aebdba261a175835de1c9756c9
            ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/030ae0aebdba261a175835de1c9756c9
            /aws/batch/job sleep/default/030ae0aebdba261a175835de1c9756c9
        "#]],
    );
}

#[test]
fn a_child_knows_its_index_and_the_size() {
    check(
        Some(3),
        &[],
        expect_test::expect![[r#"
            AWS_BATCH_JOB_ID=018bcfe5-6800-4000-8000-000000000007:3
            AWS_BATCH_JOB_ATTEMPT=2
            AWS_BATCH_JQ_NAME=fast
            AWS_BATCH_CE_NAME=host
            AWS_BATCH_JOB_ARRAY_INDEX=3
            AWS_BATCH_JOB_ARRAY_SIZE=10
            AWS_EXECUTION_ENV=AWS_ECS_EC2
            ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/3b912afa23ef7398b4abf1e655102214
            ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/3b912afa23ef7398b4abf1e655102214
            AWS_REGION=eu-west-1
            /aws/batch/job sleep/default/3b912afa23ef7398b4abf1e655102214
        "#]],
    );
}

#[test]
fn nodes_know_their_job_and_find_the_main_one() {
    for (node, expected) in [
        (
            0,
            expect_test::expect![[r#"
                AWS_BATCH_JOB_ID=018bcfe5-6800-4000-8000-000000000007#0
                AWS_BATCH_JOB_ATTEMPT=2
                AWS_BATCH_JQ_NAME=fast
                AWS_BATCH_CE_NAME=host
                AWS_BATCH_JOB_NODE_INDEX=0
                AWS_BATCH_JOB_NUM_NODES=3
                AWS_BATCH_JOB_MAIN_NODE_INDEX=2
                AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS=127.0.0.1
                AWS_EXECUTION_ENV=AWS_ECS_EC2
                ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/177069ce51c49d631a9f5e0655f6a5b4
                ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/177069ce51c49d631a9f5e0655f6a5b4
                AWS_REGION=eu-west-1
                /aws/batch/job sleep/default/177069ce51c49d631a9f5e0655f6a5b4
            "#]],
        ),
        (
            2,
            expect_test::expect![[r#"
                AWS_BATCH_JOB_ID=018bcfe5-6800-4000-8000-000000000007#2
                AWS_BATCH_JOB_ATTEMPT=2
                AWS_BATCH_JQ_NAME=fast
                AWS_BATCH_CE_NAME=host
                AWS_BATCH_JOB_NODE_INDEX=2
                AWS_BATCH_JOB_NUM_NODES=3
                AWS_BATCH_JOB_MAIN_NODE_INDEX=2
                AWS_EXECUTION_ENV=AWS_ECS_EC2
                ECS_CONTAINER_METADATA_URI=http://127.0.0.1:4590/v3/e6b9790b9f8eb6313e4cd2f19467637f
                ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:4590/v4/e6b9790b9f8eb6313e4cd2f19467637f
                AWS_REGION=eu-west-1
                /aws/batch/job sleep/default/e6b9790b9f8eb6313e4cd2f19467637f
            "#]],
        ),
    ] {
        let forged = [("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", "forged")];
        check_of(
            Some(node),
            Some(2),
            if node == 0 { &forged } else { &[] },
            expected,
        );
    }
}
