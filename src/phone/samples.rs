//! Numbers for the tests of this module.

use super::E164;
use super::plans::{self, MAX_DIGITS};
use proptest::prelude::*;
use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType as Type,
};

/// Any number the table allows, with leading national zeros now and then.
pub fn any_number() -> impl Strategy<Value = E164> {
    (0..plans::all_plans().len())
        .prop_flat_map(|at| {
            let plan = &plans::all_plans()[at];
            let digits = u32::from(plan.min)..=u32::from(plan.max);
            (Just(plan), digits.clone(), digits, any::<u64>())
        })
        .prop_map(|(plan, a, b, random)| {
            let (significant, digits) = (a.min(b), a.max(b));
            let least = 10u64.pow(significant - 1);
            let national = least + random % (9 * least);
            let all = u64::from(plan.code) * 10u64.pow(digits) + national;
            E164::from_digits(all).expect("within the table")
        })
}

/// The library's example of every kind of number in every country and global
/// service, as E.164. Left out are those with more digits than E.164 has and
/// those that the library itself finds impossible (Canada's 310-1234): neither
/// can be called from abroad.
pub fn library_examples() -> Vec<String> {
    let util = &*PHONE_NUMBER_UTIL;
    let kinds = [
        Type::FixedLine,
        Type::Mobile,
        Type::TollFree,
        Type::PremiumRate,
        Type::SharedCost,
        Type::VoIP,
        Type::PersonalNumber,
        Type::Pager,
        Type::UAN,
        Type::VoiceMail,
    ];
    let national = util.get_supported_regions().flat_map(|region| {
        kinds.map(|kind| util.get_example_number_for_type_and_region(region, kind))
    });
    let global = util
        .get_supported_global_network_calling_codes()
        .map(|code| util.get_example_number_for_non_geo_entity(code));
    national
        .chain(global)
        .flatten()
        .filter(|number| {
            util.is_possible_number_with_reason(number) == Ok(NumberLengthType::IsPossible)
        })
        .map(|number| util.format(&number, PhoneNumberFormat::E164).into_owned())
        .filter(|text| text.len() <= 1 + MAX_DIGITS as usize)
        .collect()
}
