//! The command line of Schoolgate: it reads the arguments and hands over to [`schoolgate::app`].

fn main() {}
