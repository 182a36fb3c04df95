// The small C programs built with -O2: see c-programs.ts.
import { checkPrograms } from './c-programs.ts';

checkPrograms('O2');
