/// What the flags of `top` say.
struct TopSettings: Sendable {
    var interval = Duration.seconds(2)
    var once = false
    /// Of each table.
    var rows = 20
}
