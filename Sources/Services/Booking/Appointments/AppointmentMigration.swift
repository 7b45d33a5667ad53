/// What holds and appointments need beyond the tables of ``KernelMigration``.
enum AppointmentMigration {
    /// A booking that takes another's place counts on; the snapshot of the policy says how often
    /// that may be (E-03). `no_show_auto`: who has not come is marked without anybody's doing.
    static let sql = """
        alter table booking add column reschedules int not null default 0;
        alter table policy add column no_show_auto boolean not null default false;

        """
}
