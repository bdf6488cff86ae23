//! What is asked of the daemon, field by field.

use std::collections::BTreeMap;

use batchyard_core::launch::PodContainer;
use batchyard_core::resources::Mebibytes;
use batchyard_runtime::log::StreamName;
use expect_test::{Expect, expect};

use super::*;
use crate::docker::labels::Part;

fn labels(scratch_volumes: usize) -> Labels {
    Labels {
        namespace: "n".to_owned(),
        attempt: "018bcfe5-6800-4000-8000-000000000007/1".parse().unwrap(),
        stream: Some(StreamName {
            group: "/aws/batch/job".to_owned(),
            stream: "a/default/b".to_owned(),
        }),
        scratch_volumes,
        main_node: None,
        failure_file: None,
        results: None,
        part: Part::Whole,
    }
}

fn check(container: &ContainerSpec, resources: Resources, gpus: GpuSet, expected: Expect) {
    let scratch = scratch_names(std::iter::once(container));
    let labels = labels(scratch.len());
    let body = creation(Wanted {
        container,
        command: &["echo".to_owned(), "$HOME".to_owned()],
        environment: &[Variable {
            name: "A".to_owned(),
            value: "b=c".to_owned(),
        }],
        resources,
        gpus,
        labels: &labels,
        scratch: &scratch,
        namespaces: Namespaces {
            network: "host".to_owned(),
            ..Namespaces::default()
        },
        membership: None,
        folder: Some("/folders/1"),
        secrets: &Values::default(),
        places: &[],
    });
    // Through `Value`, which sorts the members of maps.
    let mut value = serde_json::to_value(body).unwrap();
    value.as_object_mut().unwrap().remove("Labels");
    for mount in value["HostConfig"]["Mounts"].as_array_mut().unwrap() {
        mount["VolumeOptions"]["Labels"].take();
    }
    expected.assert_eq(&serde_json::to_string_pretty(&value).unwrap());
}

fn resources(vcpus: u32, memory: u64, gpus: u16) -> Resources {
    Resources {
        vcpus: MilliVcpus(vcpus),
        memory: Mebibytes(memory),
        gpus,
    }
}

#[test]
fn tags_that_are_propagated_are_labels() {
    let container = ContainerSpec {
        labels: BTreeMap::from([("team".to_owned(), "genomics".to_owned())]),
        ..ContainerSpec::default()
    };
    let labels = labels(0);
    let body = creation(Wanted {
        container: &container,
        command: &[],
        environment: &[],
        resources: resources(1000, 4, 0),
        gpus: GpuSet::default(),
        labels: &labels,
        scratch: &[],
        namespaces: Namespaces::default(),
        membership: None,
        folder: None,
        secrets: &Values::default(),
        places: &[],
    });
    let carried = body.labels.unwrap();
    assert_eq!(carried.get("team").map(String::as_str), Some("genomics"));
    assert_eq!(Labels::from_map(&carried), Some(labels));
}

#[test]
fn secrets_are_variables_and_options_and_not_labels() {
    let container = ContainerSpec {
        log_driver: Some(LogDriver {
            name: "splunk".to_owned(),
            options: BTreeMap::from([("splunk-url".to_owned(), "https://x".to_owned())]),
            secret_options: Vec::new(),
        }),
        ..ContainerSpec::default()
    };
    let resolved = |name: &str, value: &str| Resolved {
        name: name.to_owned(),
        value: crate::secrets::Value::new(value.to_owned()),
    };
    let secrets = Values {
        variables: vec![resolved("PASSWORD", "hunter2"), resolved("A", "secret")],
        log_options: vec![resolved("splunk-token", "t0ken")],
        login: None,
    };
    let labels = labels(0);
    let variable = |name: &str| Variable {
        name: name.to_owned(),
        value: "plain".to_owned(),
    };
    let body = creation(Wanted {
        container: &container,
        command: &[],
        environment: &[variable("A"), variable("B")],
        resources: resources(1000, 4, 0),
        gpus: GpuSet::default(),
        labels: &labels,
        scratch: &[],
        namespaces: Namespaces::default(),
        membership: None,
        folder: None,
        secrets: &secrets,
        places: &[],
    });
    assert_eq!(body.env.unwrap(), ["B=plain", "PASSWORD=hunter2", "A=secret"]);
    let options = body.host_config.unwrap().log_config.unwrap().config.unwrap();
    assert_eq!(options.get("splunk-token").map(String::as_str), Some("t0ken"));
    assert_eq!(options.get("splunk-url").map(String::as_str), Some("https://x"));
    assert_eq!(Labels::from_map(&body.labels.unwrap()), Some(labels));
}

#[test]
fn a_plain_container_asks_for_little() {
    let container = ContainerSpec {
        image: "busybox".to_owned(),
        ..ContainerSpec::default()
    };
    check(
        &container,
        resources(1000, 4, 0),
        GpuSet::default(),
        expect![[r#"
        {
          "Cmd": [
            "echo",
            "$HOME"
          ],
          "Env": [
            "A=b=c"
          ],
          "HostConfig": {
            "Binds": [],
            "CpuShares": 1024,
            "Devices": [],
            "LogConfig": {
              "Config": {
                "compress": "false",
                "max-file": "2",
                "max-size": "64g",
                "mode": "blocking"
              },
              "Type": "local"
            },
            "Memory": 6291456,
            "Mounts": [],
            "NetworkMode": "host",
            "Privileged": false,
            "ReadonlyRootfs": false,
            "Tmpfs": {},
            "Ulimits": []
          },
          "Image": "busybox"
        }"#]],
    );
}

#[test]
fn every_field_is_passed_on() {
    let mount = |source, path: &str, is_readonly| Mount {
        source,
        container_path: path.to_owned(),
        is_readonly,
    };
    let container = ContainerSpec {
        image: "busybox:1".to_owned(),
        entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
        vcpus_are_a_ceiling: true,
        mounts: vec![
            mount(MountSource::Host("/data".to_owned()), "/in", true),
            mount(MountSource::Scratch("s".to_owned()), "/s1", false),
            mount(MountSource::Scratch("t".to_owned()), "/t", false),
            mount(MountSource::Scratch("s".to_owned()), "/s2", true),
        ],
        ulimits: vec![Ulimit {
            name: "nofile".to_owned(),
            soft: 1024,
            hard: -1,
        }],
        user: Some("1:2".to_owned()),
        is_privileged: true,
        has_readonly_root: true,
        has_init: true,
        devices: vec![Device {
            host_path: "/dev/fuse".to_owned(),
            container_path: "/dev/fuse".to_owned(),
            permissions: "rw".to_owned(),
        }],
        shared_memory_mib: Some(128),
        tmpfs: vec![Tmpfs {
            container_path: "/tmp".to_owned(),
            size_mib: 64,
            options: vec!["noexec".to_owned()],
        }],
        swap_mib: Some(0),
        swappiness: Some(10),
        platform: Some("linux/arm64".to_owned()),
        log_driver: Some(LogDriver {
            name: "json-file".to_owned(),
            options: BTreeMap::from([("max-size".to_owned(), "1m".to_owned())]),
            secret_options: Vec::new(),
        }),
        ephemeral_storage_gib: Some(21),
        labels: BTreeMap::new(),
        secrets: Vec::new(),
        credentials: None,
        pod: None,
    };
    check(
        &container,
        resources(250, 512, 2),
        GpuSet::first(2),
        expect![[r#"
        {
          "Cmd": [
            "echo",
            "$HOME"
          ],
          "Entrypoint": [
            "/bin/sh",
            "-c"
          ],
          "Env": [
            "A=b=c",
            "NVIDIA_VISIBLE_DEVICES=0,1"
          ],
          "HostConfig": {
            "Binds": [
              "/data:/in:ro"
            ],
            "DeviceRequests": [
              {
                "Capabilities": [
                  [
                    "gpu"
                  ]
                ],
                "DeviceIDs": [
                  "0",
                  "1"
                ],
                "Driver": "nvidia"
              }
            ],
            "Devices": [
              {
                "CgroupPermissions": "rw",
                "PathInContainer": "/dev/fuse",
                "PathOnHost": "/dev/fuse"
              }
            ],
            "Init": true,
            "LogConfig": {
              "Config": {
                "max-size": "1m"
              },
              "Type": "json-file"
            },
            "Memory": 536870912,
            "MemorySwap": 536870912,
            "MemorySwappiness": 10,
            "Mounts": [
              {
                "ReadOnly": false,
                "Source": "batchyard-286f54fcf88698d3110a2dec89025cc6-0",
                "Target": "/s1",
                "Type": "volume",
                "VolumeOptions": {
                  "Labels": null
                }
              },
              {
                "ReadOnly": false,
                "Source": "batchyard-286f54fcf88698d3110a2dec89025cc6-1",
                "Target": "/t",
                "Type": "volume",
                "VolumeOptions": {
                  "Labels": null
                }
              },
              {
                "ReadOnly": true,
                "Source": "batchyard-286f54fcf88698d3110a2dec89025cc6-0",
                "Target": "/s2",
                "Type": "volume",
                "VolumeOptions": {
                  "Labels": null
                }
              }
            ],
            "NanoCpus": 250000000,
            "NetworkMode": "host",
            "Privileged": true,
            "ReadonlyRootfs": true,
            "ShmSize": 134217728,
            "StorageOpt": {
              "size": "21G"
            },
            "Tmpfs": {
              "/tmp": "noexec,size=64m"
            },
            "Ulimits": [
              {
                "Hard": -1,
                "Name": "nofile",
                "Soft": 1024
              }
            ]
          },
          "Image": "busybox:1",
          "User": "1:2"
        }"#]],
    );
}

#[test]
fn variables_of_a_pod_name_those_before_them() {
    let variable = |(name, value): (&str, &str)| Variable {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let given = [("A", "a$(B)"), ("B", "$(A)b"), ("C", "$$(A) $(D) $(C)")];
    let values: Vec<String> = expanded_variables(&given.map(variable))
        .into_iter()
        .map(|variable| variable.value)
        .collect();
    assert_eq!(values, ["a$(B)", "a$(B)b", "$(A) $(D) $(C)"]);
}

#[test]
fn only_a_pod_can_leave_the_hosts_network() {
    let container = |has_own_network| ContainerSpec {
        pod: Some(PodContainer {
            has_own_network,
            ..PodContainer::default()
        }),
        ..ContainerSpec::default()
    };
    assert_eq!(network_of("host", &ContainerSpec::default()), "host");
    assert_eq!(network_of("host", &container(false)), "host");
    assert_eq!(network_of("host", &container(true)), "bridge");
    assert_eq!(network_of("jobs", &container(true)), "jobs");
}

#[test]
fn a_pod_has_ceilings_beside_its_shares_and_variables_in_its_command() {
    let container = ContainerSpec {
        image: "busybox".to_owned(),
        entrypoint: Some(vec!["$(A)/$(B)".to_owned(), "$$(A) $A $".to_owned()]),
        pod: Some(PodContainer {
            vcpus_max: Some(MilliVcpus(1500)),
            is_unconfined: true,
            capabilities_added: vec!["NET_ADMIN".to_owned()],
            capabilities_dropped: vec!["ALL".to_owned()],
            volume_group: Some(2000),
            ..PodContainer::default()
        }),
        ..ContainerSpec::default()
    };
    check(
        &container,
        resources(250, 64, 0),
        GpuSet::default(),
        expect![[r#"
            {
              "Cmd": [
                "echo",
                "$HOME"
              ],
              "Entrypoint": [
                "b=c/$(B)",
                "$(A) $A $"
              ],
              "Env": [
                "A=b=c"
              ],
              "HostConfig": {
                "Binds": [],
                "CapAdd": [
                  "NET_ADMIN"
                ],
                "CapDrop": [
                  "ALL"
                ],
                "CpuShares": 256,
                "Devices": [],
                "GroupAdd": [
                  "2000"
                ],
                "LogConfig": {
                  "Config": {
                    "compress": "false",
                    "max-file": "2",
                    "max-size": "64g",
                    "mode": "blocking"
                  },
                  "Type": "local"
                },
                "Memory": 67108864,
                "Mounts": [],
                "NanoCpus": 1500000000,
                "NetworkMode": "host",
                "Privileged": false,
                "ReadonlyRootfs": false,
                "SecurityOpt": [
                  "no-new-privileges",
                  "seccomp=unconfined"
                ],
                "Tmpfs": {},
                "Ulimits": []
              },
              "Image": "busybox"
            }"#]],
    );
}
