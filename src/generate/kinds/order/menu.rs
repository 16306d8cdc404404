//! What restaurants serve.

/// A cuisine.
pub(super) struct Cuisine {
    pub name: &'static str,
    /// The last word of a restaurant's name.
    pub noun: &'static str,
    /// Dishes and what they cost when nothing has changed, in minor units.
    pub dishes: [(&'static str, u32); 8],
}

/// The cuisines there are.
pub(super) const CUISINES: [Cuisine; 6] = [
    Cuisine {
        name: "ITALIAN",
        noun: "Trattoria",
        dishes: [
            ("Margherita", 950),
            ("Quattro stagioni", 1250),
            ("Lasagne", 1190),
            ("Carbonara", 1150),
            ("Caprese", 790),
            ("Minestrone", 650),
            ("Tiramisu", 590),
            ("Espresso", 240),
        ],
    },
    Cuisine {
        name: "INDIAN",
        noun: "Tandoor",
        dishes: [
            ("Chicken tikka", 1390),
            ("Palak paneer", 1190),
            ("Dal makhani", 1090),
            ("Biryani", 1290),
            ("Garlic naan", 350),
            ("Samosa", 450),
            ("Mango lassi", 420),
            ("Gulab jamun", 480),
        ],
    },
    Cuisine {
        name: "JAPANESE",
        noun: "Izakaya",
        dishes: [
            ("Salmon nigiri", 690),
            ("Shoyu ramen", 1390),
            ("Chicken katsu", 1290),
            ("Gyoza", 680),
            ("Edamame", 490),
            ("Miso soup", 390),
            ("Mochi", 520),
            ("Green tea", 290),
        ],
    },
    Cuisine {
        name: "MEXICAN",
        noun: "Cantina",
        dishes: [
            ("Tacos al pastor", 980),
            ("Burrito", 1090),
            ("Quesadilla", 890),
            ("Chilaquiles", 1050),
            ("Guacamole", 650),
            ("Elote", 490),
            ("Churros", 540),
            ("Horchata", 380),
        ],
    },
    Cuisine {
        name: "BURGERS",
        noun: "Grill",
        dishes: [
            ("Cheeseburger", 990),
            ("Bean burger", 950),
            ("Chicken wrap", 890),
            ("Onion rings", 450),
            ("French fries", 390),
            ("Coleslaw", 340),
            ("Milkshake", 520),
            ("Lemonade", 330),
        ],
    },
    Cuisine {
        name: "THAI",
        noun: "Orchid",
        dishes: [
            ("Pad thai", 1190),
            ("Green curry", 1250),
            ("Massaman curry", 1350),
            ("Tom yum", 890),
            ("Papaya salad", 850),
            ("Spring rolls", 590),
            ("Sticky rice", 480),
            ("Iced tea", 360),
        ],
    },
];

/// First words of restaurants' names.
pub(super) const RESTAURANT_WORDS: [&str; 16] = [
    "Blue", "Copper", "Corner", "Garden", "Golden", "Happy", "Harbor", "Little", "Market", "Old",
    "Paper", "Quiet", "Red", "River", "Silver", "Sunny",
];
