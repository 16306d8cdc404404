//! A restaurant: what it is, whether it is open, and what is on its menu.

use serde::{Deserialize, Serialize};

use super::menu::{CUISINES, Cuisine, RESTAURANT_WORDS};
use crate::generate::Dice;
use crate::generate::kinds::market::{COUNTRIES, Currency};
use crate::generate::kinds::shapes::{choice, one_of, place_below, scatter, whole};

/// Of how many dishes at least a restaurant does not run out.
const ALWAYS: usize = 3;

/// A restaurant as it is now.
#[derive(Serialize, Deserialize)]
pub(super) struct Kitchen {
    pub number: u32,
    pub open: bool,
    pub menu: [Dish; 8],
}

/// A dish on the menu.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dish {
    pub price_minor: u32,
    pub available: bool,
}

impl Kitchen {
    /// Returns restaurant `number` with its first menu, open.
    pub(super) fn new(number: u32) -> Self {
        let mut kitchen = Self {
            number,
            open: true,
            menu: [Dish {
                price_minor: 0,
                available: true,
            }; 8],
        };
        let dishes = kitchen.cuisine().dishes;
        for (dish, (_, price_minor)) in kitchen.menu.iter_mut().zip(dishes) {
            dish.price_minor = price_minor;
        }
        kitchen
    }

    pub(super) fn cuisine(&self) -> &'static Cuisine {
        choice(&CUISINES, scatter(self.number.into()))
    }

    /// Returns the two words of its name.
    pub(super) fn name(&self) -> (&'static str, &'static str) {
        let word = choice(&RESTAURANT_WORDS, scatter(self.number.into()) >> 8);
        (word, self.cuisine().noun)
    }

    /// Returns what stands at this place of the menu.
    pub(super) fn dish_name(&self, place: usize) -> &'static str {
        self.cuisine().dishes[place % self.menu.len()].0
    }

    /// Returns what is paid with there: euros, dollars or pounds.
    pub(super) fn currency(&self) -> &'static Currency {
        &choice(&COUNTRIES[..3], scatter(self.number.into()) >> 16).1
    }

    /// Changes one dish; returns its place and what it was before.
    pub(super) fn change(&mut self, life: &mut Dice) -> (usize, Dish) {
        let enough = self.menu.iter().filter(|dish| dish.available).count() > ALWAYS;
        let place = place_below(life, self.menu.len());
        let dish = &mut self.menu[place];
        let before = *dish;
        if !dish.available {
            dish.available = true;
        } else if enough && life.chance(0.5) {
            dish.available = false;
        } else {
            // Up or down by some tens, and never far from what it once was.
            let usual = f64::from(choice(&CUISINES, scatter(self.number.into())).dishes[place].1);
            let steps = [-2, -1, 1, 2];
            let step = f64::from(one_of(life, &steps)) * 10.0;
            let price = f64::from(dish.price_minor) + step;
            dish.price_minor = whole(if (0.7 * usual..1.5 * usual).contains(&price) {
                price
            } else {
                usual
            });
        }
        (place, before)
    }
}
