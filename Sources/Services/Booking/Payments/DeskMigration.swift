/// Payments at the desk are charges as others are, by nobody whom we could ask about them.
enum DeskMigration {
    static let sql = """
        insert into payment_provider values ('desk', 'At the desk');

        """
}
