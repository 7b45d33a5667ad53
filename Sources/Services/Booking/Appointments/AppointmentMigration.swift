/// What holds and appointments need beyond the tables of ``KernelMigration``.
enum AppointmentMigration {
    /// A booking that takes another's place counts on; the snapshot of the policy says how often
    /// that may be (E-03).
    static let sql = """
        alter table booking add column reschedules int not null default 0;

        """
}
