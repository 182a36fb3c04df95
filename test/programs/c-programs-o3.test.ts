// The small C programs built with -O3: see c-programs.ts.
import { checkPrograms } from './c-programs.ts';

checkPrograms('O3');
