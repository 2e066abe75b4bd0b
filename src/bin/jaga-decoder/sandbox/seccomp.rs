//! The system-call filter: what is not on the list kills the process.
//!
//! seccomp takes the strictest answer of all installed filters, so the calls that are answered with
//! an error number have filters of their own, and are on the killing filter's list as well.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::calls::{self, Condition, Test};

/// Rules as the compiler wants them: a call without rules matches however it is made.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs all filters, the one that kills last.
pub(super) fn install() -> Result<String, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|_| format!("no list for {}", std::env::consts::ARCH))?;
    let own_pid = u64::from(std::process::id());
    let mut allowed = Rules::new();
    for call in calls::ALLOWED {
        allowed.insert(*call, Vec::new());
    }
    for (call, condition) in calls::allowed_if(own_pid) {
        let rule = rule(condition).map_err(|error| error.to_string())?;
        allowed.entry(call).or_default().push(rule);
    }
    for (errno, refused) in calls::REFUSED {
        let rules: Rules = refused.iter().map(|call| (*call, Vec::new())).collect();
        allowed.extend(rules.clone());
        let answer = SeccompAction::Errno(errno.unsigned_abs());
        apply(&compile(rules, SeccompAction::Allow, answer, arch)?)?;
    }
    let killing = compile(
        allowed.clone(),
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        arch,
    )?;
    apply(&killing)?;
    Ok(format!(
        "{}, {} calls on the list",
        std::env::consts::ARCH,
        allowed.len()
    ))
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
    arch: TargetArch,
) -> Result<BpfProgram, String> {
    SeccompFilter::new(rules, otherwise, matched, arch)
        .and_then(BpfProgram::try_from)
        .map_err(|error| error.to_string())
}

fn apply(program: &BpfProgram) -> Result<(), String> {
    seccompiler::apply_filter_all_threads(program).map_err(|error| error.to_string())
}

fn rule(condition: Condition) -> Result<SeccompRule, seccompiler::BackendError> {
    let (compare, value) = match condition.test {
        Test::Is(value) => (SeccompCmpOp::Eq, value),
        Test::IsNot(value) => (SeccompCmpOp::Ne, value),
        Test::Bits { mask, value } => (SeccompCmpOp::MaskedEq(mask), value),
    };
    let width = SeccompCmpArgLen::Dword;
    SeccompRule::new(vec![SeccompCondition::new(
        condition.argument,
        width,
        compare,
        value,
    )?])
}
