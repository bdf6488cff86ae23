//! Control groups: what limits a job's memory and lets all its processes be found.
//!
//! Version 2 where it has the memory controller, else version 1, else none; what there is is found once, by trying. A job's group
//! is a folder; folders are used again, as making one costs more than starting a program.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use batchyard_core::resources::Resources;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::limits;
use crate::process::{Capabilities, CgroupVersion};

/// The groups of a supervisor.
#[derive(Debug)]
pub(super) struct Groups {
    site: Option<Site>,
    idle: Mutex<Vec<Group>>,
    /// Groups of ended jobs in which something that was killed is still to go.
    dying: Mutex<VecDeque<Group>>,
    next: AtomicU64,
}

/// Where groups can be made.
#[derive(Debug)]
struct Site {
    version: CgroupVersion,
    /// The folders of all jobs: one, or with version 1 one for each controller, memory first where it is there.
    folders: Vec<PathBuf>,
    limits_memory: bool,
}

/// The group of one job.
#[derive(Debug)]
pub(super) struct Group {
    version: CgroupVersion,
    folders: Vec<PathBuf>,
    /// `cgroup.procs` of each folder, open for writing.
    doors: Vec<File>,
    limits_memory: bool,
    /// Kills for want of memory, as last seen.
    kills: u64,
    /// What it is limited to now.
    limited_to: Option<Resources>,
    /// Whether its job has ended and no process was left: then nobody is there to make one.
    is_empty: bool,
}

impl Groups {
    /// Finds out what the host offers; groups get `name` as their parent.
    pub(super) fn find(name: &str) -> Groups {
        let site = Site::version_2(name).or_else(|| Site::version_1(name));
        if site.is_none() {
            tracing::info!(
                "no control groups can be made here: memory limits of process jobs are not enforced"
            );
        }
        Groups {
            site,
            idle: Mutex::default(),
            dying: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities {
            cgroup: self.site.as_ref().map(|site| site.version),
            memory_limit: self.site.as_ref().is_some_and(|site| site.limits_memory),
        }
    }

    /// A group with these limits; `None` where there are no groups.
    pub(super) fn take(&self, resources: &Resources) -> Result<Option<Group>, Errno> {
        let Some(site) = &self.site else {
            return Ok(None);
        };
        let idle = self
            .idle
            .lock()
            .expect("nobody panics with the idle groups")
            .pop();
        if let Some(mut group) = idle {
            if group.limit(resources).is_ok() {
                group.is_empty = false;
                return Ok(Some(group));
            }
            // What earlier jobs left in the page cache may not go below the new limit.
            group.remove();
        }
        let mut group = site.make(&self.next.fetch_add(1, Ordering::Relaxed).to_string())?;
        match group.limit(resources) {
            Ok(()) => Ok(Some(group)),
            Err(errno) => {
                group.remove();
                Err(errno)
            }
        }
    }

    /// Takes a group back when its job has ended.
    pub(super) fn give_back(&self, group: Group) {
        let mut dying = self.dying.lock().expect("nobody panics with the dying groups");
        dying.push_back(group);
        // What was killed takes a while to be gone: then the group waits for another's turn.
        for _ in 0..dying.len().min(limits::GROUPS_LOOKED_AT) {
            let Some(mut group) = dying.pop_front() else {
                return;
            };
            if group.is_empty || group.kill() {
                self.keep(group);
            } else {
                dying.push_back(group);
            }
        }
    }

    fn keep(&self, group: Group) {
        // What a job has left in memory (files in /dev/shm) would count for the next one. The parent gets it when the group goes.
        if group.is_charged() {
            group.remove();
            return;
        }
        let mut idle = self.idle.lock().expect("nobody panics with the idle groups");
        if idle.len() < limits::GROUPS_KEPT_MAX {
            idle.push(group);
            return;
        }
        drop(idle);
        group.remove();
    }

    /// Kills and removes what an earlier supervisor left.
    pub(super) fn clean(&self) {
        let Some(site) = &self.site else { return };
        for folder in &site.folders {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    let is_empty = kill_all(&entry.path(), site.version);
                    if !is_empty || std::fs::remove_dir(entry.path()).is_err() {
                        tracing::debug!(group = %entry.path().display(), "a left-over control group cannot be removed yet");
                    }
                }
            }
        }
        // Names of groups that could not be removed must not be used again.
        let started = super::clock::uptime_ms();
        self.next.store(started, Ordering::Relaxed);
    }

    /// Kills what is left in any group and removes them all, when no job is left. Not when this is dropped: the threads that start
    /// programs never drop theirs.
    pub(super) fn remove_all(&self) {
        for folder in self.site.iter().flat_map(|site| &site.folders) {
            let mut tries = 0;
            while let Err(error) = std::fs::remove_dir(folder) {
                self.clean();
                tries += 1;
                if tries > limits::GROUPS_REMOVE_TRIES {
                    tracing::warn!(%error, group = %folder.display(), "the jobs' control group cannot be removed");
                    break;
                }
                // What was killed takes a while to be gone.
                if tries > 1 {
                    std::thread::sleep(limits::GROUPS_REMOVE_PAUSE);
                }
            }
        }
    }
}

impl Site {
    /// The unified hierarchy, below its root or below our own place in it, where the memory controller can be had there.
    fn version_2(name: &str) -> Option<Site> {
        let mount = mounts().into_iter().find(|mount| mount.kind == "cgroup2")?;
        let own = own_place(|controllers| controllers.is_empty())?;
        [mount.point.clone(), joined(&mount.point, &own)]
            .into_iter()
            .find_map(|parent| {
                let controllers = std::fs::read_to_string(parent.join("cgroup.controllers")).ok()?;
                if !controllers
                    .split_whitespace()
                    .any(|controller| controller == "memory")
                {
                    return None;
                }
                let folder = parent.join(name);
                make_folder(&folder).ok()?;
                let is_usable = enable_below(&parent, "memory").and_then(|()| enable(&folder, "memory"));
                if is_usable.is_err() {
                    // Only tried: nothing of it is to stay.
                    let _stays_if_in_use = std::fs::remove_dir(&folder);
                    return None;
                }
                for parent in [&parent, &folder] {
                    // Shares of the processor are a courtesy.
                    let _is_absent = enable(parent, "cpu");
                }
                Some(Site {
                    version: CgroupVersion::V2,
                    folders: vec![folder],
                    limits_memory: true,
                })
            })
    }

    /// The separate hierarchies of memory and cpu.
    fn version_1(name: &str) -> Option<Site> {
        let mounts = mounts();
        let mut folders: Vec<PathBuf> = Vec::new();
        let mut limits_memory = false;
        for controller in ["memory", "cpu"] {
            let has = |mount: &&Mount| {
                mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller)
            };
            let Some(mount) = mounts.iter().find(has) else {
                continue;
            };
            let own = own_place(|controllers| controllers.split(',').any(|one| one == controller));
            let parents = [
                Some(mount.point.clone()),
                own.map(|own| joined(&mount.point, &own)),
            ];
            let folder = parents.into_iter().flatten().map(|parent| parent.join(name));
            let Some(folder) = folder.into_iter().find(|folder| make_folder(folder).is_ok()) else {
                continue;
            };
            limits_memory |= controller == "memory";
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        (!folders.is_empty()).then_some(Site {
            version: CgroupVersion::V1,
            folders,
            limits_memory,
        })
    }

    fn make(&self, name: &str) -> Result<Group, Errno> {
        let folders: Vec<PathBuf> = self.folders.iter().map(|folder| folder.join(name)).collect();
        let mut doors = Vec::new();
        for folder in &folders {
            make_folder(folder).map_err(errno)?;
            let door = OpenOptions::new().write(true).open(folder.join("cgroup.procs"));
            doors.push(door.map_err(errno)?);
        }
        Ok(Group {
            version: self.version,
            folders,
            doors,
            limits_memory: self.limits_memory,
            kills: 0,
            limited_to: None,
            is_empty: false,
        })
    }
}

impl Group {
    /// What a process writes `0` to, to join.
    pub(super) fn doors(&self) -> Vec<RawFd> {
        self.doors.iter().map(|door| door.as_raw_fd()).collect()
    }

    /// Kills all processes in it, also those that were being made meanwhile. Whether none is left.
    pub(super) fn kill(&mut self) -> bool {
        self.is_empty = self.folders.iter().all(|folder| kill_all(folder, self.version));
        self.is_empty
    }

    /// Whether the kernel killed something of the present job for want of memory. To be asked once for each job: the next has nothing to
    /// do with it.
    pub(super) fn was_out_of_memory(&mut self) -> bool {
        let kills = self.memory_kills();
        kills > std::mem::replace(&mut self.kills, kills)
    }

    fn memory_kills(&self) -> u64 {
        let file = match self.version {
            CgroupVersion::V1 => "memory.oom_control",
            CgroupVersion::V2 => "memory.events",
        };
        let text = match self.limits_memory {
            true => std::fs::read_to_string(self.folders[0].join(file)).unwrap_or_default(),
            false => String::new(),
        };
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    /// Whether memory is charged to it that cannot be reclaimed although nothing runs in it.
    fn is_charged(&self) -> bool {
        if !self.limits_memory {
            return false;
        }
        let memory = &self.folders[0];
        let usage = match self.version {
            CgroupVersion::V1 => "memory.usage_in_bytes",
            CgroupVersion::V2 => "memory.current",
        };
        let usage = std::fs::read_to_string(memory.join(usage)).ok();
        let usage: u64 = usage.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        // Most of it is cache mostly; only then the longer look.
        if usage <= limits::GROUP_LEFTOVER_BYTES_MAX {
            return false;
        }
        let stat = std::fs::read_to_string(memory.join("memory.stat")).unwrap_or_default();
        let shmem = stat.lines().find_map(|line| line.strip_prefix("shmem "));
        let shmem: u64 = shmem.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
        shmem > limits::GROUP_LEFTOVER_BYTES_MAX
    }

    fn limit(&mut self, resources: &Resources) -> Result<(), Errno> {
        if self.limited_to == Some(*resources) {
            return Ok(());
        }
        self.limited_to = None;
        self.set_limits(resources)?;
        self.limited_to = Some(*resources);
        Ok(())
    }

    fn set_limits(&self, resources: &Resources) -> Result<(), Errno> {
        let bytes = resources.memory.0.saturating_mul(1 << 20).to_string();
        let memory = &self.folders[0];
        if self.limits_memory {
            match self.version {
                CgroupVersion::V2 => {
                    write_value(&memory.join("memory.max"), &bytes)?;
                    // Without a swap controller there is nothing to limit.
                    let _is_absent = write_value(&memory.join("memory.swap.max"), "0");
                }
                CgroupVersion::V1 => {
                    let (limit, both) = (
                        memory.join("memory.limit_in_bytes"),
                        memory.join("memory.memsw.limit_in_bytes"),
                    );
                    // Memory alone may never have a higher limit than memory with swap: which goes first depends on which way they go.
                    let is_lowered = write_value(&limit, &bytes).is_ok();
                    if both.exists() {
                        write_value(&both, &bytes)?;
                    }
                    if !is_lowered {
                        write_value(&limit, &bytes)?;
                    }
                }
            }
        }
        let milli_vcpus = u64::from(resources.vcpus.0);
        for folder in &self.folders {
            // Shares of the processor are a courtesy: the folder may be of another controller.
            let _is_absent = match self.version {
                CgroupVersion::V1 => {
                    let shares = (milli_vcpus * 1024 / 1000).clamp(2, 262_144);
                    write_value(&folder.join("cpu.shares"), &shares.to_string())
                }
                CgroupVersion::V2 => {
                    let weight = (milli_vcpus / 10).clamp(1, 10_000);
                    write_value(&folder.join("cpu.weight"), &weight.to_string())
                }
            };
        }
        Ok(())
    }

    fn remove(&self) {
        for folder in &self.folders {
            if let Err(error) = std::fs::remove_dir(folder) {
                tracing::warn!(%error, group = %folder.display(), "a control group cannot be removed");
            }
        }
    }
}

/// Kills what is in a folder, again and again while something is made there. Whether it is empty then.
fn kill_all(folder: &Path, version: CgroupVersion) -> bool {
    for round in 0..limits::KILL_ROUNDS {
        let pids = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        if pids.is_empty() {
            return true;
        }
        let is_killed = version == CgroupVersion::V2 && write_value(&folder.join("cgroup.kill"), "1").is_ok();
        if !is_killed {
            for pid in pids.lines().filter_map(|pid| pid.parse().ok()) {
                // It may have ended by itself.
                let _has_ended = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        if round > 0 {
            std::thread::yield_now();
        }
    }
    // What was killed and not yet reaped by its parent is listed for a while.
    std::fs::read_to_string(folder.join("cgroup.procs")).is_ok_and(|pids| pids.is_empty())
}

/// A mounted file system.
struct Mount {
    point: PathBuf,
    kind: String,
    options: String,
}

fn mounts() -> Vec<Mount> {
    let text = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mount = |line: &str| {
        let mut words = line.split(' ');
        let (_, point, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Mount {
            point: PathBuf::from(point),
            kind: kind.to_owned(),
            options: options.to_owned(),
        })
    };
    text.lines().filter_map(mount).collect()
}

/// Our own place in the hierarchy with these controllers.
fn own_place(is_wanted: impl Fn(&str) -> bool) -> Option<String> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, place) = rest.split_once(':')?;
        is_wanted(controllers).then(|| place.to_owned())
    })
}

fn joined(point: &Path, place: &str) -> PathBuf {
    point.join(place.trim_start_matches('/'))
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Turns a controller on for the groups below one. A group other than the root may have either processes or controlled groups below it
/// (no internal processes): ours (the server's, and who shares its place) then move to a group of their own.
fn enable_below(parent: &Path, controller: &str) -> Result<(), Errno> {
    match enable(parent, controller) {
        Err(Errno::EBUSY) => {}
        result => return result,
    }
    let own = parent.join("batchyard-server");
    make_folder(&own).map_err(errno)?;
    let pids = std::fs::read_to_string(parent.join("cgroup.procs")).map_err(errno)?;
    for pid in pids.lines() {
        // It may have ended meanwhile.
        let _is_gone = write_value(&own.join("cgroup.procs"), pid);
    }
    enable(parent, controller)
}

fn enable(folder: &Path, controller: &str) -> Result<(), Errno> {
    write_value(&folder.join("cgroup.subtree_control"), &format!("+{controller}"))
}

fn write_value(file: &Path, value: &str) -> Result<(), Errno> {
    let mut file = OpenOptions::new().write(true).open(file).map_err(errno)?;
    file.write_all(value.as_bytes()).map_err(errno)
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
