/// Repeats `condition` until it holds; false when it still does not after `time`. For what has no
/// event to await: another process, a row that somebody else writes.
public func eventually(
    within time: Duration = .seconds(60), every pause: Duration = .milliseconds(20),
    _ condition: () async throws -> Bool
) async throws -> Bool {
    let end = ContinuousClock.now + time
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try await Task.sleep(for: pause)
    }
    return try await condition()
}
