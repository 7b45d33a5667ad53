/// No seat costs more than 10¹² of the smallest unit (``Money/priceLimit``), whoever writes.
///
/// In two migrations, each a transaction of its own: the lock that traffic meets is held for a
/// moment by the one, and the other reads the tables without it.
enum PriceMigration {
    /// For what is written from now on.
    static let limit = """
        lock table offering, slot in access exclusive mode;
        alter table offering
            add constraint offering_price_limit check (price <= 1000000000000) not valid;
        alter table slot
            add constraint slot_price_limit check (price <= 1000000000000) not valid;
        """

    /// For the rows of before. One above the limit could not be changed any more, not even by a
    /// booking; it gets the highest price that there is.
    static let rows = """
        update offering set price = 1000000000000 where price > 1000000000000;
        update slot set price = 1000000000000, version = nextval('slot_version')
        where price > 1000000000000;
        alter table offering validate constraint offering_price_limit;
        alter table slot validate constraint slot_price_limit;
        """
}
