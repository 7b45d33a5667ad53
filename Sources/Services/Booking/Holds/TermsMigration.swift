/// What a customer was promised stays: the price of a seat from the hold on, and the seat while
/// somebody looks at a proof of payment.
enum TermsMigration {
    /// `proof_review_seconds`: ``ProofReview``. `price` and `currency` of a hold are of one seat
    /// and both null on one of before, which has today's price.
    ///
    /// At once and in the order of those who write, so that nobody waits crosswise; the rows of
    /// holds are not looked at.
    static let sql = """
        lock table hold, policy in access exclusive mode;
        alter table hold
            add column price bigint,
            add column currency text,
            add constraint hold_price check (price >= 0 and currency ~ '^[A-Z]{3}$'
                and (price is null) = (currency is null)) not valid;
        alter table policy
            add column proof_review_seconds int not null default 86400
                check (proof_review_seconds between 60 and 2592000);

        """
}
