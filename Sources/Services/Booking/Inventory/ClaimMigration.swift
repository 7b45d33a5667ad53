/// Whether a resource is free at a time is one step down this index: claims of one resource never
/// overlap, so the last that begins before the end is the only one that can be in the way. The index
/// of the constraint answers ten times as slowly.
enum ClaimMigration {
    static let sql = """
        create index claim_by_time on claim (resource_id, lower(during))
            include (during, slot_id);
        """
}
