//! What an order is for, and what that costs.

use serde::{Deserialize, Serialize};

use super::kitchen::Kitchen;
use crate::generate::Dice;
use crate::generate::kinds::shapes::{one_of, place_below, rank};

/// Lines and what is added to them.
#[derive(Serialize, Deserialize)]
pub(super) struct Basket {
    pub lines: Vec<Line>,
    pub delivery_fee_minor: u32,
    pub discount_minor: u32,
}

/// So many of a dish.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Line {
    /// Its place on the menu.
    pub dish: usize,
    pub quantity: u32,
    pub unit_price_minor: u32,
}

impl Line {
    pub(super) fn total_minor(&self) -> u32 {
        self.quantity.saturating_mul(self.unit_price_minor)
    }
}

impl Basket {
    /// Fills a basket with what the kitchen has.
    pub(super) fn fill(kitchen: &Kitchen, life: &mut Dice) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let kinds = 1 + rank(life, 5);
        let menu = kitchen.menu.iter().enumerate();
        let mut left: Vec<usize> = menu
            .filter(|(_, dish)| dish.available)
            .map(|(place, _)| place)
            .collect();
        for _ in 0..kinds {
            if left.is_empty() {
                break;
            }
            let dish = left.swap_remove(place_below(life, left.len()));
            lines.push(Line {
                dish,
                quantity: 1 + rank(life, 4),
                unit_price_minor: kitchen.menu[dish].price_minor,
            });
        }
        let mut basket = Self {
            lines,
            delivery_fee_minor: one_of(life, &[0, 199, 299, 399]),
            discount_minor: 0,
        };
        if life.chance(0.12) {
            basket.discount_minor = basket.subtotal_minor() / 10;
        }
        basket
    }

    pub(super) fn subtotal_minor(&self) -> u32 {
        self.lines.iter().map(Line::total_minor).sum()
    }

    pub(super) fn total_minor(&self) -> u32 {
        (self
            .subtotal_minor()
            .saturating_add(self.delivery_fee_minor))
        .saturating_sub(self.discount_minor)
    }
}
