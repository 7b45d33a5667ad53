/// What was the same for all trades and is a matter of each one's policy.
enum PolicyMigration {
    static let sql = """
        alter table policy
            add column hold_limit int not null default 5 check (hold_limit between 1 and 1000),
            add column check_in_lead_seconds bigint not null default 43200
                check (check_in_lead_seconds >= 0);

        """
}
