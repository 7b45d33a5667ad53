/// For calls whose deadline has to pass at a certain point, for example while their handler runs:
/// calls `body` with longer and longer times until it says that the call got so far. On a busy
/// machine a short deadline passes before; a test that waits for the handler then waits for ever.
///
/// - Throws: `DeadlineTooShort` when twenty seconds were not enough.
public func growingDeadline(_ body: (Duration) async throws -> Bool) async throws {
    for milliseconds in [50, 500, 5000, 20_000] {
        if try await body(.milliseconds(milliseconds)) { return }
    }
    throw DeadlineTooShort()
}

public struct DeadlineTooShort: Error {
    public init() {}
}
