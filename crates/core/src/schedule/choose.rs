//! Where a job could run, or what keeps it from it: a pure function of the state, for the scheduler and for `explain` alike.

use std::cmp::Reverse;
use std::fmt;

use crate::environment::{
    Capacity, Environment, InstanceChoice, InstancePlan, InstanceTypeName, Life, NUM_INSTANCES, Platform,
    Switch,
};
use crate::fleet::Fleet;
use crate::id::{EnvironmentId, InstanceId};
use crate::item::CapacityLimit;
use crate::job::{Profile, ServiceClaim};
use crate::name::EnvironmentName;
use crate::resources::{MilliVcpus, Resources};
use crate::schedule::gang::{self, GangPlan};

/// Whether a job can start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, so.
    Place(Plan),
    /// Yes, all nodes of a multi-node parallel job, so.
    PlaceGang(GangPlan),
    /// No: for each environment of the queue, in order, what is in the way.
    Wait(Vec<(EnvironmentName, Hindrance)>),
}

/// How to make a place for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In which environment.
    pub(crate) environment: EnvironmentId,
    /// Where in it.
    pub(crate) site: Site,
    /// Idle instances that are given back first.
    pub(crate) reclaimed: Vec<(EnvironmentId, InstanceId)>,
}

/// Where in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// Straight on the host.
    Host,
    /// On an instance that is there.
    Instance(InstanceId),
    /// On a new one.
    New(NewInstance),
}

/// An instance to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewInstance {
    pub(crate) instance_type: InstanceTypeName,
    pub(crate) capacity: Resources,
}

/// What keeps a job from starting in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It is DISABLED.
    Disabled,
    /// It is being deleted.
    Deleting,
    /// It is invalid.
    Invalid,
    /// It takes no multi-node parallel jobs.
    SingleNodesOnly,
    /// It runs jobs of another platform.
    Platform(Platform),
    /// The job needs more vCPUs than the environment may ever have.
    OverMaximum {
        /// The environment's `maxvCpus`.
        vcpus_max: u32,
    },
    /// No instance type of the environment is large enough.
    OverTypes,
    /// It has no instances of a type that the job asks for.
    NoSuchType(InstanceTypeName),
    /// The host is too small, even when empty.
    OverHost {
        /// What the host has.
        host: Resources,
    },
    /// The environment holds as many vCPUs as it may.
    MaximumReached {
        /// The environment's `maxvCpus`.
        vcpus_max: u32,
        /// vCPUs it holds now.
        vcpus_now: u32,
    },
    /// The environment has none of the unit that the job takes, or never so many.
    OverUnits {
        /// The unit.
        unit: Box<str>,
        /// How many it may have at most.
        max: u32,
    },
    /// The environment holds as many units as it may.
    UnitsReached {
        /// The unit.
        unit: Box<str>,
        /// How many it may have at most.
        max: u32,
        /// How many its jobs hold now.
        now: u32,
    },
    /// Others hold what the job needs.
    HostBusy {
        /// What is free.
        free: Resources,
    },
}

/// Whether the job with this profile can start now from this queue, and where: the first of the queue's environments, in order, that
/// has room or can make it (section C1.2).
pub(crate) fn consider(fleet: &Fleet, environments: &[EnvironmentId], profile: &Profile) -> Verdict {
    if let Some(shape) = &profile.nodes {
        return gang::consider(fleet, environments, profile, shape);
    }
    let mut hindrances = Vec::new();
    for id in environments {
        let environment = fleet.environment(*id);
        match consider_environment(fleet, *id, environment, profile) {
            Ok(plan) => return Verdict::Place(plan),
            Err(hindrance) => hindrances.push((environment.name.clone(), hindrance)),
        }
    }
    Verdict::Wait(hindrances)
}

/// Whether there is a place for the job: [`consider`] without saying where, or what is in the way.
pub(crate) fn has_place(fleet: &Fleet, environments: &[EnvironmentId], profile: &Profile) -> bool {
    if profile.nodes.is_some() {
        return !matches!(consider(fleet, environments, profile), Verdict::Wait(_));
    }
    let mut environments = environments.iter();
    environments.any(|id| consider_environment(fleet, *id, fleet.environment(*id), profile).is_ok())
}

fn consider_environment(
    fleet: &Fleet,
    id: EnvironmentId,
    environment: &Environment,
    profile: &Profile,
) -> Result<Plan, Hindrance> {
    if let Some(hindrance) = hindrance_of_spec(fleet, environment, profile) {
        return Err(hindrance);
    }
    let need = profile.resources;
    match &environment.spec.capacity {
        Capacity::Shared { vcpus_max } => on_host(fleet, id, environment, need, *vcpus_max),
        Capacity::Instances(plan) => on_instance(fleet, id, environment, need, plan),
        Capacity::Units { limits } => in_units(fleet, id, environment, profile, limits),
    }
}

/// A place for a service job: units are counted, and of the host its GPUs alone.
fn in_units(
    fleet: &Fleet,
    id: EnvironmentId,
    environment: &Environment,
    profile: &Profile,
    limits: &[CapacityLimit],
) -> Result<Plan, Hindrance> {
    let mut place = Plan {
        environment: id,
        site: Site::Host,
        reclaimed: Vec::new(),
    };
    let Some(ServiceClaim {
        unit,
        count,
        quota_share: _,
        preemptions_max: _,
    }) = &profile.service
    else {
        return Ok(place);
    };
    let counts = |limit: &&CapacityLimit| &*limit.unit == NUM_INSTANCES || limit.unit == *unit;
    let limit = limits.iter().find(counts);
    let (unit, max) = limit.map_or((unit, 0), |limit| (&limit.unit, limit.max));
    if *count > max {
        return Err(Hindrance::OverUnits {
            unit: unit.clone(),
            max,
        });
    }
    let now = environment.units_of(unit);
    if now.saturating_add(*count) > max {
        return Err(Hindrance::UnitsReached {
            unit: unit.clone(),
            max,
            now,
        });
    }
    make_room(fleet, profile.resources, None, &mut place.reclaimed)?;
    Ok(place)
}

/// What of an environment's facts, or the host's size, keeps a job out for good.
pub(super) fn hindrance_of_spec(
    fleet: &Fleet,
    environment: &Environment,
    profile: &Profile,
) -> Option<Hindrance> {
    match environment.life {
        Life::Valid => {}
        Life::Invalid => return Some(Hindrance::Invalid),
        Life::Deleting => return Some(Hindrance::Deleting),
    }
    if environment.switch == Switch::Disabled {
        return Some(Hindrance::Disabled);
    }
    if environment.spec.platform != profile.platform {
        return Some(Hindrance::Platform(environment.spec.platform));
    }
    let host = fleet.host().resources;
    (!host.fits(profile.resources)).then_some(Hindrance::OverHost { host })
}

pub(super) fn on_host(
    fleet: &Fleet,
    id: EnvironmentId,
    environment: &Environment,
    need: Resources,
    vcpus_max: Option<u32>,
) -> Result<Plan, Hindrance> {
    if let Some(vcpus_max) = vcpus_max {
        let limit = MilliVcpus::whole(vcpus_max);
        if need.vcpus > limit {
            return Err(Hindrance::OverMaximum { vcpus_max });
        }
        if environment.in_use.vcpus.0.saturating_add(need.vcpus.0) > limit.0 {
            return Err(Hindrance::MaximumReached {
                vcpus_max,
                vcpus_now: environment.in_use.vcpus.ceil(),
            });
        }
    }
    let mut reclaimed = Vec::new();
    make_room(fleet, need, None, &mut reclaimed)?;
    Ok(Plan {
        environment: id,
        site: Site::Host,
        reclaimed,
    })
}

fn on_instance(
    fleet: &Fleet,
    id: EnvironmentId,
    environment: &Environment,
    need: Resources,
    plan: &InstancePlan,
) -> Result<Plan, Hindrance> {
    // The fullest instance that still has room: larger gaps stay for larger jobs.
    let with_room = environment
        .instances
        .iter()
        .filter(|(id, instance)| !environment.is_outdated(**id) && instance.free().fits(need));
    if let Some((instance, _)) =
        with_room.min_by_key(|(instance_id, instance)| (instance.free(), **instance_id))
    {
        return Ok(Plan {
            environment: id,
            site: Site::Instance(*instance),
            reclaimed: Vec::new(),
        });
    }
    let vcpus_max = plan.vcpus_max;
    if need.vcpus > MilliVcpus::whole(vcpus_max) {
        return Err(Hindrance::OverMaximum { vcpus_max });
    }
    if !plan
        .types
        .iter()
        .any(|candidate| candidate.facts().capacity().fits(need))
    {
        return Err(Hindrance::OverTypes);
    }
    let (mut reclaimed, vcpus_left) = room_below_maximum(environment, id, need, plan)?;
    make_room(fleet, need, Some(id), &mut reclaimed)?;
    let given_back = reclaimed
        .iter()
        .map(|(of, instance)| fleet.environment(*of).instances[instance].capacity);
    let free = given_back.fold(fleet.host_free(), Resources::plus);
    let room = Resources {
        vcpus: free.vcpus.min(vcpus_left),
        ..free
    };
    let new = new_instance(plan, None, need, room).ok_or(Hindrance::OverTypes)?;
    Ok(Plan {
        environment: id,
        site: Site::New(new),
        reclaimed,
    })
}

/// The type for a new instance that can take `need`, cut to the room there is. `only`: no other type.
pub(super) fn new_instance(
    plan: &InstancePlan,
    only: Option<InstanceTypeName>,
    need: Resources,
    room: Resources,
) -> Option<NewInstance> {
    let types = plan.types.iter();
    let types = types.filter(|one| only.is_none_or(|only| only == **one));
    let fitting = types.filter_map(|instance_type| {
        let capacity = instance_type.facts().capacity().at_most(room);
        capacity.fits(need).then_some(NewInstance {
            instance_type: *instance_type,
            capacity,
        })
    });
    let is_whole = |new: &NewInstance| new.capacity == new.instance_type.facts().capacity();
    match plan.choice {
        InstanceChoice::Ordered => fitting.into_iter().next(),
        InstanceChoice::Progressive => {
            let mut fitting = fitting.peekable();
            // Where no whole one is left, what is left of the best.
            let best = fitting.peek().cloned();
            fitting.find(is_whole).or(best)
        }
        InstanceChoice::Roomiest => {
            let indexed = fitting.enumerate();
            let best = indexed.max_by_key(|(index, new)| {
                (
                    count_in(room, new.instance_type.facts().capacity()),
                    Reverse(*index),
                )
            });
            best.map(|(_, new)| new)
        }
        InstanceChoice::Smallest => fitting.min_by_key(|new| {
            let facts = new.instance_type.facts();
            (facts.gpus, facts.vcpus, facts.memory_mib, facts.name)
        }),
    }
}

/// How many of `one` there are in `room`.
fn count_in(room: Resources, one: Resources) -> u64 {
    let counts = [
        u64::from(room.vcpus.0).checked_div(u64::from(one.vcpus.0)),
        room.memory.0.checked_div(one.memory.0),
        u64::from(room.gpus).checked_div(u64::from(one.gpus)),
    ];
    counts.into_iter().flatten().min().unwrap_or(0)
}

/// The type that an environment would take for `need` if there were no end of room; `None` where it has no instances, or none that fits.
pub(crate) fn wanted_type(environment: &Environment, need: Resources) -> Option<InstanceTypeName> {
    let Capacity::Instances(plan) = &environment.spec.capacity else {
        return None;
    };
    new_instance(plan, None, need, Resources::MAX).map(|new| new.instance_type)
}

/// Idle instances of an environment that have to be given back so that `need` stays below its maximum, and the vCPUs that are left
/// then. The newest go first: the oldest are those that the minimum keeps, and they go as well where nothing else helps, as the
/// instance that replaces them counts for the minimum too.
fn room_below_maximum(
    environment: &Environment,
    id: EnvironmentId,
    need: Resources,
    plan: &InstancePlan,
) -> Result<(Vec<(EnvironmentId, InstanceId)>, MilliVcpus), Hindrance> {
    let vcpus_max = plan.vcpus_max;
    let vcpus_now = environment.vcpus_now();
    let mut vcpus = vcpus_now;
    let mut reclaimed = Vec::new();
    let instances = environment.instances.iter().rev();
    let mut idle = instances.filter(|(_, instance)| instance.is_idle());
    loop {
        let left = vcpus_max.saturating_sub(vcpus);
        let vcpus_left = match plan.choice.overshoots() && left > 0 {
            true => Resources::MAX.vcpus,
            false => MilliVcpus::whole(left),
        };
        if need.vcpus <= vcpus_left {
            return Ok((reclaimed, vcpus_left));
        }
        let Some((instance_id, instance)) = idle.next() else {
            return Err(Hindrance::MaximumReached { vcpus_max, vcpus_now });
        };
        vcpus -= instance.capacity.vcpus.ceil();
        reclaimed.push((id, *instance_id));
    }
}

/// Adds the idle instances that have to be given back so that `need` finds room on the host; none where it has room already. What
/// their minimum keeps stays, but for `own`, the environment that gets a new instance instead.
fn make_room(
    fleet: &Fleet,
    need: Resources,
    own: Option<EnvironmentId>,
    reclaimed: &mut Vec<(EnvironmentId, InstanceId)>,
) -> Result<(), Hindrance> {
    make_room_besides(fleet, need, own, &[], reclaimed)
}

/// The same, but the `used` instances stay.
pub(super) fn make_room_besides(
    fleet: &Fleet,
    need: Resources,
    own: Option<EnvironmentId>,
    used: &[InstanceId],
    reclaimed: &mut Vec<(EnvironmentId, InstanceId)>,
) -> Result<(), Hindrance> {
    let given_back = reclaimed
        .iter()
        .map(|(of, instance)| fleet.environment(*of).instances[instance].capacity);
    let mut free = given_back.fold(fleet.host_free(), Resources::plus);
    if free.fits(need) {
        return Ok(());
    }
    let own = own.into_iter().flat_map(|id| {
        let instances = fleet.environment(id).instances.iter();
        let idle = instances.filter(|(_, instance)| instance.is_idle());
        idle.map(move |(instance_id, instance)| (id, *instance_id, instance))
    });
    for (environment, id, instance) in fleet.reclaimable().chain(own) {
        if reclaimed.contains(&(environment, id)) || used.contains(&id) {
            continue;
        }
        free = free.plus(instance.capacity);
        reclaimed.push((environment, id));
        if free.fits(need) {
            return Ok(());
        }
    }
    Err(Hindrance::HostBusy {
        free: fleet.host_free(),
    })
}

/// As a person reads it, after the environment's name.
impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hindrance::Disabled => f.write_str("is disabled"),
            Hindrance::Deleting => f.write_str("is being deleted"),
            Hindrance::Invalid => f.write_str("is invalid: its status reason says why"),
            Hindrance::SingleNodesOnly => f.write_str("takes no multi-node parallel jobs"),
            Hindrance::Platform(Platform::Ec2) => f.write_str("runs EC2 jobs only"),
            Hindrance::Platform(Platform::Fargate) => f.write_str("runs Fargate jobs only"),
            Hindrance::Platform(Platform::ManagedInstances) => {
                f.write_str("runs jobs for managed instances only")
            }
            Hindrance::Platform(Platform::Eks) => f.write_str("runs EKS jobs only"),
            Hindrance::Platform(Platform::Service) => f.write_str("runs service jobs only"),
            Hindrance::OverMaximum { vcpus_max } => {
                write!(f, "may have {vcpus_max} vCPU at most, less than the job needs")
            }
            Hindrance::OverTypes => f.write_str("has no instance type that is large enough for the job"),
            Hindrance::NoSuchType(name) => {
                write!(
                    f,
                    "has no instances of type {}, which the job asks for",
                    name.facts().name
                )
            }
            Hindrance::OverHost { host } => write!(
                f,
                "runs on this host, which has {host}: less than the job needs, even when idle"
            ),
            Hindrance::OverUnits { unit, max } => {
                write!(f, "may have {max} {unit} at most, less than the job needs")
            }
            Hindrance::UnitsReached { unit, max, now } => {
                write!(f, "holds {now} of the {max} {unit} it may have at most")
            }
            Hindrance::MaximumReached { vcpus_max, vcpus_now } => {
                write!(f, "holds {vcpus_now} of the {vcpus_max} vCPU it may have at most")
            }
            Hindrance::HostBusy { free } => {
                write!(f, "has to wait for other jobs: this host has {free} free")
            }
        }
    }
}
