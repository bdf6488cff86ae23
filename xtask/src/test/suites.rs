//! The suites.

use std::path::PathBuf;

use super::tools::{command, is_root, packages, run, succeeds, target};
use super::{Docker, Outcome, Shared};
use crate::{tidy, workspace};

/// A suite of tests.
type Suite = fn(&mut Shared) -> anyhow::Result<Outcome>;

/// All suites, in the order they are run.
pub(super) const ALL: [(&str, Suite); 7] = [
    ("style", style),
    ("tidy", |_| tidy::run().map(|()| Outcome::Passed)),
    ("rust", rust),
    ("docker", docker),
    ("aws", aws),
    ("bowtie2", bowtie2),
    ("demo", demo),
];

/// The address of the container daemon, for tests that need one.
const DOCKER_HOST: &str = "BATCHYARD_TEST_DOCKER_HOST";

fn style(_: &mut Shared) -> anyhow::Result<Outcome> {
    for (component, arguments) in [
        ("fmt", vec!["--all", "--check"]),
        (
            "clippy",
            vec!["--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        ),
    ] {
        if !succeeds("cargo", &[component, "--version"]) {
            return Ok(Outcome::Skipped(format!(
                "the toolchain has no cargo {component}"
            )));
        }
        run(&mut command(
            "cargo",
            &[&[component], arguments.as_slice()].concat(),
        ))?;
    }
    Ok(Outcome::Passed)
}

/// All tests that need no daemon.
fn rust(_: &mut Shared) -> anyhow::Result<Outcome> {
    run(cargo_test(&["--workspace", "--locked"]).env_remove(DOCKER_HOST))?;
    Ok(Outcome::Passed)
}

fn docker(shared: &mut Shared) -> anyhow::Result<Outcome> {
    // The tests make their images from it: no registry is asked.
    if let Err(reason) = packages(&["busybox-static"])? {
        return Ok(Outcome::Skipped(reason));
    }
    let host = match container_daemon(shared)? {
        Ok(host) => host,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let tests = [
        "--package",
        "batchyard-engines",
        "--test",
        "docker",
        "--test",
        "docker_faults",
        "--test",
        "docker_tasks",
    ];
    run(cargo_test(&tests).env(DOCKER_HOST, host))?;
    Ok(Outcome::Passed)
}

/// The AWS CLI and boto3 against the binary.
fn aws(shared: &mut Shared) -> anyhow::Result<Outcome> {
    let python = match python()? {
        Ok(python) => python,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    // PyPI has version 1, which lacks `aws logs tail`; Debian's package is version 2. The tests say what they leave out without it.
    if let Err(reason) = packages(&["awscli"])? {
        println!("version 2 of the AWS CLI: {reason}");
    }
    let binary = binary()?;
    let docker = container_daemon(shared)?;
    let mut pytest = command(
        &python,
        &[
            "-m",
            "pytest",
            "-q",
            "-rs",
            "tests/aws",
            "--ignore",
            "tests/aws/test_bowtie2.py",
        ],
    );
    pytest.env("BATCHYARD_BINARY", binary);
    if let Ok(host) = docker {
        pytest.env("DOCKER_HOST", host);
    }
    run(&mut pytest)?;
    Ok(Outcome::Passed)
}

/// Reads of a real genome aligned, as processes and as containers.
fn bowtie2(shared: &mut Shared) -> anyhow::Result<Outcome> {
    if let Err(reason) = packages(&["bowtie2", "bowtie2-examples", "samtools"])? {
        return Ok(Outcome::Skipped(reason));
    }
    let python = match python()? {
        Ok(python) => python,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let mut check = command(
        &python,
        &["-m", "pytest", "-q", "-rs", "tests/aws/test_bowtie2.py"],
    );
    check.env("BATCHYARD_BINARY", binary()?);
    match container_daemon(shared)? {
        Ok(host) => {
            check.env("DOCKER_HOST", host);
        }
        Err(reason) => println!("bowtie2 as containers: SKIPPED, {reason}"),
    }
    run(&mut check)?;
    Ok(Outcome::Passed)
}

fn demo(_: &mut Shared) -> anyhow::Result<Outcome> {
    let binary = binary()?;
    run(&mut command(&binary.to_string_lossy(), &["demo"]))?;
    Ok(Outcome::Passed)
}

/// `cargo nextest run` where it is installed, else `cargo test`: the same tests.
fn cargo_test(arguments: &[&str]) -> std::process::Command {
    let runner: &[&str] = match succeeds("cargo", &["nextest", "--version"]) {
        true => &["nextest", "run"],
        false => &["test"],
    };
    command("cargo", &[runner, arguments].concat())
}

fn container_daemon(shared: &mut Shared) -> anyhow::Result<Result<String, String>> {
    if shared.docker.is_none() {
        match Docker::start()? {
            Ok(docker) => shared.docker = Some(docker),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(shared
        .docker
        .as_ref()
        .map(|docker| docker.host.clone())
        .ok_or_else(String::new))
}

/// The server's program, built for tests.
fn binary() -> anyhow::Result<PathBuf> {
    run(&mut command(
        "cargo",
        &["build", "--locked", "--package", "batchyard-cli"],
    ))?;
    Ok(target().join("debug/batchyard"))
}

/// A Python with the clients, in a virtual environment under the target folder.
fn python() -> anyhow::Result<Result<String, String>> {
    let venv = workspace::root().join("target/venv");
    let python = venv.join("bin/python").to_string_lossy().into_owned();
    let requirements = "tests/aws/requirements.txt";
    let modules = "import awscli, boto3, hypothesis, pytest, pytest_timeout";
    if !succeeds(&python, &["-c", modules]) {
        if !succeeds("python3", &["-c", "import ensurepip, venv"]) {
            if !is_root() {
                return Ok(Err("it needs python3 with its module venv".to_owned()));
            }
            if let Err(reason) = packages(&["python3", "python3-venv"])? {
                return Ok(Err(reason));
            }
        }
        run(&mut command(
            "python3",
            &["-m", "venv", "--clear", &venv.to_string_lossy()],
        ))?;
        run(&mut command(
            &python,
            &["-m", "pip", "install", "--quiet", "--requirement", requirements],
        ))?;
    }
    Ok(Ok(python))
}
